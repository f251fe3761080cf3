"""Caddy's configuration as one document, computed from the settings and the routes.

Pure: the same site and routes always give the same document, so it can be compared with the one in Caddy. Nothing from rows enters it except
validated slugs, tenant ids, ports and channel names. Unknown hosts get 404. `worker/edge.py` sets it.

There is no rate limit here (a stock Caddy has none): the agent limits pairing attempts per client, which it knows from the X-Forwarded-For
header that is overwritten here.
"""

from collections.abc import Sequence
from typing import Any

from zcplatform.core import keep_alive
from zcplatform.core.edge import certificates, headers, pages, routing
from zcplatform.core.edge.site import Route, Site

Json = dict[str, Any]


def document(site: Site, routes: Sequence[Route]) -> Json:
    """Raises ValueError if a route is invalid or two routes share a slug, tenant, port or address."""
    wanted = sorted((site.check(route) for route in routes), key=lambda route: route.slug)
    ports = [route.port for route in wanted if route.port is not None]
    addresses = [address for route in wanted for address in {listener.address for listener in route.listeners}]
    shared = (("slug", [r.slug for r in wanted]), ("tenant", [r.tenant_id for r in wanted]), ("port", ports), ("address", addresses))
    for what, values in shared:
        if len(set(values)) != len(values):
            raise ValueError(f"two routes share a {what}")
    listeners = [part for route in wanted for part in routing.listeners(site, route)]
    tenants = [routing.tenant(site, route) for route in wanted]
    listening = [routing.listening(site)] if addresses else []
    public = [routing.panel(site), *listeners, *tenants, *routing.stopped(), *listening, routing.running(site)]
    return _whole(site, public, ask=certificates.ask(site, [site.panel_host, *(site.host(route.slug) for route in wanted)]))


def base(site: Site) -> Json:
    """Return the document without any name: 404 for everything, until the worker sets a full one."""
    return _whole(site, [], ask=[])


def changed(current: Json | None, wanted: Json) -> bool:
    """Whether the document in Caddy differs. Caddy returns a document exactly as it was set, so any difference was made by someone else."""
    return current != wanted


def fits(site: Site, kept: Json) -> bool:
    """Whether a saved document listens where the settings say. If not, the worker could not reach a Caddy started with it."""
    try:
        return _listeners(kept) == _listeners(base(site))
    except (AttributeError, KeyError, TypeError):
        return False


def _listeners(kept: Json) -> Json:
    return {"admin": kept["admin"], **{name: server["listen"] for name, server in kept["apps"]["http"]["servers"].items()}}


def _whole(site: Site, public: list[Json], ask: list[Json]) -> Json:
    secure = site.tls != "off"
    servers = {
        "public": {
            **_server(_listen(site), [*headers.guards(), *public, routing.unknown()]),
            **_trusted(site),
            "protocols": ["h1", "h2"] if secure else ["h1"],
            "errors": {"routes": pages.errors(routing.panel_hosts(site))},
            **({"tls_connection_policies": [{}]} if secure else {}),
        },
        "ask": {**_server(f"127.0.0.1:{site.ask_port}", [*ask, routing.unknown()]), "protocols": ["h1"]},
    }
    if secure:
        servers["redirect"] = {**_server(f":{site.http_port}", [certificates.redirect(site), routing.unknown()]), "protocols": ["h1"]}
    return {
        "admin": {"listen": f"unix/{site.admin_socket}|0600", "config": {"persist": False}},
        "logging": _logging(),
        "apps": {
            "http": {"http_port": site.http_port, "https_port": site.https_port, "grace_period": "5s", "servers": servers},
            **certificates.tls(site),
        },
    }


def _listen(site: Site) -> str:
    if site.tls != "off":
        return f":{site.https_port}"
    # Without TLS, names that only this machine resolves are served to this machine only.
    address = "127.0.0.1" if site.domain == "localhost" or site.domain.endswith(".localhost") else ""
    return f"{address}:{site.http_port}"


def _server(address: str, routes: list[Json]) -> Json:
    """A server without a write timeout, which would cut server-sent events and slow model responses.

    The read timeout only limits reading a request body; streams and WebSockets outlive it.
    """
    return {
        "listen": [address],
        "read_header_timeout": "10s",
        "read_timeout": "10m",
        "write_timeout": "0s",
        "idle_timeout": keep_alive.VISITOR_TO_EDGE,
        "max_header_bytes": 32_768,
        "automatic_https": {"disable": True},
        "routes": routes,
    }


def _trusted(site: Site) -> Json:
    """Proxies in front of the edge: the client is the last address in X-Forwarded-For that is not one of them."""
    if not site.trusted_proxies:
        return {}
    ranges = {"source": "static", "ranges": list(site.trusted_proxies)}
    return {
        "trusted_proxies": ranges,
        "trusted_proxies_strict": 1,
        "client_ip_headers": ["X-Forwarded-For"],
        "idle_timeout": keep_alive.PROXY_TO_EDGE,
    }


def _logging() -> Json:
    """No access log. Failed requests are logged without their headers and query, where credentials are.

    Our own reads of the admin API every few seconds are not logged, its errors are.
    """
    fields = {
        "request>headers": {"filter": "delete"},
        "request>uri": {"filter": "regexp", "regexp": r"\?.*", "value": "?"},
        "resp_headers": {"filter": "delete"},
        "headers": {"filter": "delete"},
    }
    encoder = {"format": "filter", "wrap": {"format": "json"}, "fields": fields}
    default = {"level": "INFO", "encoder": encoder, "exclude": ["admin.api"]}
    return {"logs": {"default": default, "admin": {"level": "WARN", "encoder": encoder, "include": ["admin.api"]}}}
