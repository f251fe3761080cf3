"""The routes of the public server: the panel's host, one name per tenant, and the shared handlers for running and stopped tenants.

A tenant's route only puts tenant and port into variables; one shared proxy uses them. Caddy keeps an old document in memory as long as a
WebSocket opened under it lives, and a proxy per tenant would make that document three times as large and its reload three times as slow.
"""

from typing import Any

from zcplatform.agent import closed_paths
from zcplatform.core import edge_closed, keep_alive
from zcplatform.core.edge import headers, pages
from zcplatform.core.edge.site import Route, Site

Json = dict[str, Any]

_TO_WEB = {"idle_timeout": f"{keep_alive.EDGE_TO_WEB_S}s"}
_TO_AGENT = {"enabled": False}
"""How long an agent keeps an idle connection is the agent's business, so none is used twice."""


def panel_hosts(site: Site) -> list[str]:
    """Local clients may not resolve *.localhost, so without TLS the panel also answers to the names every machine knows."""
    return [site.panel_host, "localhost", "127.0.0.1"] if site.tls == "off" else [site.panel_host]


def panel(site: Site) -> Json:
    inner = [
        {"match": [{"path": edge_closed.PANEL}], "handle": [pages.plain(404, "closed")], "terminal": True},
        {
            "handle": [
                headers.panel_response(site),
                {"handler": "request_body", "max_size": 8 << 20},
                proxy(site, f"unix/{site.web_socket}", _TO_WEB),
            ]
        },
    ]
    return {"match": [{"host": panel_hosts(site)}], "handle": [{"handler": "subroute", "routes": inner}], "terminal": True}


def tenant(site: Site, route: Route) -> Json:
    """Name the tenant. What happens next is the same for all tenants: `running` and `stopped`."""
    facts = {"zcp_state": str(route.page)} if route.port is None else {"zcp_state": "running", "zcp_port": str(route.port)}
    facts |= {f"zcp_hook_{kind}": "open" for kind in sorted(route.hooks)}
    return {
        "group": "tenant",
        "match": [{"host": [site.host(route.slug)]}],
        "handle": [{"handler": "vars", "zcp_tenant": route.tenant_id, **facts}],
    }


def listeners(site: Site, route: Route) -> list[Json]:
    """Channel listeners of a tenant. They precede the tenant's own route in its group: only the first match of a group is taken."""
    if route.port is None:
        return []
    return [
        {
            "group": "tenant",
            "match": [{"host": [site.host(route.slug)], "path": [listener.path], "method": ["POST"]}],
            "handle": [
                {
                    "handler": "vars",
                    "zcp_tenant": route.tenant_id,
                    "zcp_state": "listening",
                    "zcp_dial": f"{listener.address}:{listener.port}",
                    "zcp_inner": listener.inner,
                }
            ],
        }
        for listener in sorted(route.listeners, key=lambda listener: listener.path)
    ]


def listening(site: Site) -> Json:
    """Pass a request to the channel listener that was matched."""
    inner = [
        headers.tenant_response(site),
        {"handler": "request_body", "max_size": 1 << 20},
        {"handler": "rewrite", "uri": "{http.vars.zcp_inner}"},
        proxy(site, "{http.vars.zcp_dial}", _TO_AGENT),
    ]
    return {"match": [{"vars": {"zcp_state": ["listening"]}}], "handle": inner, "terminal": True}


def stopped() -> list[Json]:
    """Pages for tenants without a running agent."""
    return [{"match": [{"vars": {"zcp_state": [str(page)]}}], "handle": [pages.of(page)], "terminal": True} for page in pages.Page]


def running(site: Site) -> Json:
    """Pass a request to the tenant's agent, except for closed paths."""
    closed = {"handle": [pages.plain(404, "closed")], "terminal": True}
    inner = [
        {"match": [{"path": closed_paths.TENANT}], **closed},
        *(
            {"match": [{"path": paths, "not": [{"vars": {f"zcp_hook_{kind}": ["open"]}}]}], **closed}
            for kind, paths in closed_paths.HOOKS.items()
        ),
        {
            "handle": [
                headers.tenant_response(site),
                {"handler": "request_body", "max_size": 32 << 20},
                proxy(site, "127.0.0.1:{http.vars.zcp_port}", _TO_AGENT),
            ]
        },
    ]
    return {"match": [{"vars": {"zcp_state": ["running"]}}], "handle": [{"handler": "subroute", "routes": inner}], "terminal": True}


def unknown() -> Json:
    return {"handle": [pages.plain(404, "no-such-tenant")], "terminal": True}


def ask_web(site: Site) -> Json:
    return proxy(site, f"unix/{site.web_socket}", _TO_WEB)


def proxy(site: Site, dial: str, connections: Json) -> Json:
    """Proxy to `dial` with the client's address as Caddy knows it: the connection's, or what a trusted proxy in front says.

    Everything a visitor sent about itself was removed by `headers.guards`; Caddy sets X-Forwarded-Host by itself.
    """
    client = ["{http.vars.client_ip}"]
    forwarded = {"X-Real-Ip": client, "X-Forwarded-For": client, "X-Forwarded-Proto": [site.forwarded_proto]}
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": dial}],
        "headers": {"request": {"set": forwarded}},
        # Without it each new document would close every WebSocket on the host.
        "stream_close_delay": "24h",
        "transport": {
            "protocol": "http",
            "dial_timeout": "3s",
            "response_header_timeout": "15m",
            "compression": False,
            "keep_alive": connections,
            "versions": ["1.1"],
        },
    }
