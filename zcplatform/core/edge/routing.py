"""The routes of the public server: the panel's host, one name per tenant, and the shared handlers for running and stopped tenants.

A tenant's route only puts tenant and port into variables; one shared proxy uses them. Caddy keeps an old document in memory as long as a
WebSocket opened under it lives, and a proxy per tenant would make that document three times as large and its reload three times as slow.
"""

from typing import Any

from zcplatform.core import edge_closed
from zcplatform.core.edge import headers, pages
from zcplatform.core.edge.site import Route, Site

Json = dict[str, Any]


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
                proxy(f"unix/{site.web_socket}"),
            ]
        },
    ]
    return {"match": [{"host": panel_hosts(site)}], "handle": [{"handler": "subroute", "routes": inner}], "terminal": True}


def tenant(site: Site, route: Route) -> Json:
    """Name the tenant. What happens next is the same for all tenants: `running` and `stopped`."""
    facts = {"zcp_state": "stopped"} if route.port is None else {"zcp_state": "running", "zcp_port": str(route.port)}
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
        proxy("{http.vars.zcp_dial}"),
    ]
    return {"match": [{"vars": {"zcp_state": ["listening"]}}], "handle": inner, "terminal": True}


def stopped() -> Json:
    return {"match": [{"vars": {"zcp_state": ["stopped"]}}], "handle": [pages.stopped()], "terminal": True}


def running(site: Site) -> Json:
    """Pass a request to the tenant's agent, except for closed paths."""
    closed = {"handle": [pages.plain(404, "closed")], "terminal": True}
    inner = [
        {"match": [{"path": edge_closed.TENANT}], **closed},
        *(
            {"match": [{"path": paths, "not": [{"vars": {f"zcp_hook_{kind}": ["open"]}}]}], **closed}
            for kind, paths in edge_closed.HOOKS.items()
        ),
        {
            "handle": [
                headers.tenant_response(site),
                {"handler": "request_body", "max_size": 32 << 20},
                proxy("127.0.0.1:{http.vars.zcp_port}"),
            ]
        },
    ]
    return {"match": [{"vars": {"zcp_state": ["running"]}}], "handle": [{"handler": "subroute", "routes": inner}], "terminal": True}


def unknown() -> Json:
    return {"handle": [pages.plain(404, "no-such-tenant")], "terminal": True}


def proxy(dial: str) -> Json:
    """Proxy to `dial`. Caddy overwrites X-Forwarded-For, -Proto and -Host itself, since no proxy in front is trusted."""
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": dial}],
        "headers": {"request": {"set": {"X-Real-Ip": ["{http.request.remote.host}"]}}},
        # Without it each new document would close every WebSocket on the host.
        "stream_close_delay": "24h",
        "transport": {
            "protocol": "http",
            "dial_timeout": "3s",
            "response_header_timeout": "15m",
            "compression": False,
            "versions": ["1.1"],
        },
    }
