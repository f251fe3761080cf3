"""What Caddy shall serve, as one document made whole from the settings and the routes.

Pure: the same site and routes give the same document, so that it can be compared with what stands in Caddy. The promise: nothing but slugs,
tenant ids, port numbers and the names of channels (checked again here) enters it from rows; no tenant is reached past the closed paths; unknown hosts get 404.
Setting it is left to `worker/edge.py`.

Routes only put tenant and port into variables, and one shared proxy uses them: Caddy keeps an old document in memory as long as a WebSocket that
was opened under it lives, and a proxy for each tenant makes that document three times as large and its reload three times as slow.

There is no rate limit here (a stock Caddy has none): the agent limits pairing attempts by client, which it knows from the X-Forwarded-For that
is overwritten here.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zcplatform.core import edge_closed, edge_pages
from zcplatform.ids import is_id
from zcplatform.settings import Settings, Span

Json = dict[str, Any]

CLIENT_HEADERS_DROPPED = [
    "Forwarded", "X-Forwarded*", "X-Real-*", "X-Client-*", "X-Cluster-*", "True-Client-*", "Cf-Connecting-*", "X-Original-*", "X-Rewrite-*",
    "X-User*", "X-Tenant*", "X-Auth-*", "X-Remote-*", "Remote-*", "X-Http-Method*", "X-Method-Override", "X-Zcplatform*",
    "X-Zeroclaw-Admin-*", "Proxy*", "X_*",
]  # fmt: skip
"""What a client might say about who or where it is, or to turn one request into another. `X_` because some servers read it as `X-`."""

LISTENER_PORTS = range(8090, 8122)
"""What a container may be reached at beside its published port."""

_SLUG = re.compile(r"(?!xn--)[a-z0-9][a-z0-9-]{1,30}[a-z0-9]")
_LISTENER_PATH = re.compile(r"/channels/[a-z_]{1,32}/[a-z0-9_]{1,63}")
_INNER_PATH = re.compile(r"(/[a-z]{1,16}){1,2}")


@dataclass(frozen=True)
class Listener:
    """A channel that listens beside the gateway: `POST path` under the tenant's name goes to `inner` at this address in the tenant's network."""

    path: str
    address: str
    port: int
    inner: str

    def __post_init__(self) -> None:
        if _LISTENER_PATH.fullmatch(self.path) is None or _INNER_PATH.fullmatch(self.inner) is None:
            raise ValueError(f"{self.path!r} to {self.inner!r} is no way to a channel")
        ipaddress.IPv4Address(self.address)
        if type(self.port) is not int or self.port not in LISTENER_PORTS:
            raise ValueError(f"{self.port!r} is not a channel's port")


@dataclass(frozen=True)
class Route:
    """A tenant's name at the edge. Without a port (stopped, or between two containers) the name answers 503.

    `hooks`: the types of `edge_closed.HOOKS` that the tenant's agent may be called for.
    """

    slug: str
    tenant_id: str
    port: int | None
    listeners: tuple[Listener, ...] = ()
    hooks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if _SLUG.fullmatch(self.slug) is None:
            raise ValueError(f"{self.slug!r} is not a slug")
        if not (self.tenant_id.startswith("ten_") and is_id(self.tenant_id)):
            raise ValueError(f"{self.tenant_id!r} is not a tenant's id")
        if self.port is not None and (type(self.port) is not int or not 0 < self.port < 65536):
            raise ValueError(f"{self.port!r} is not a port")
        if not set(self.hooks) <= set(edge_closed.HOOKS):
            raise ValueError(f"{self.hooks!r} are not types of channels that are called")
        if len({listener.path for listener in self.listeners}) != len(self.listeners):
            raise ValueError(f"two channels of {self.slug} share a path")


@dataclass(frozen=True)
class Site:
    """What the edge needs of the settings. `certificate_stamp` changes when the operator's certificate files do, and has them read again."""

    domain: str
    panel_host: str
    tls: Literal["on_demand", "files", "internal", "off"]
    certificate: Path | None
    key: Path | None
    http_port: int
    https_port: int
    ask_port: int
    ports: Span
    subnets: ipaddress.IPv4Network
    web_socket: Path
    admin_socket: Path
    certificate_stamp: str = ""

    def __post_init__(self) -> None:
        if self.tls == "files" and (self.certificate is None or self.key is None):
            raise ValueError("tls = files needs tls_certificate and tls_key")

    @classmethod
    def of(cls, settings: Settings, certificate_stamp: str = "") -> "Site":
        return cls(
            domain=settings.domain,
            panel_host=settings.panel_host,
            tls=settings.tls,
            certificate=settings.tls_certificate,
            key=settings.tls_key,
            http_port=settings.http_port,
            https_port=settings.https_port,
            ask_port=settings.ask_port,
            ports=settings.port_span,
            subnets=settings.subnet_network,
            web_socket=settings.web_socket,
            admin_socket=settings.caddy_socket,
            certificate_stamp=certificate_stamp,
        )

    def host(self, slug: str) -> str:
        return f"{slug}.{self.domain}"

    def route(
        self, slug: str, tenant_id: str, port: int | None, listeners: tuple[Listener, ...] = (), hooks: tuple[str, ...] = ()
    ) -> Route:
        """A route from a row, which is not trusted: a port outside the range would publish a service of the host. Raises ValueError."""
        route = Route(slug, tenant_id, port, listeners, hooks)
        if port is not None and port not in self.ports:
            raise ValueError(f"port {port} of {slug} is outside {self.ports.first}-{self.ports.last}")
        if any(ipaddress.IPv4Address(listener.address) not in self.subnets for listener in listeners):
            raise ValueError(f"a channel of {slug} is outside {self.subnets}")
        if self.host(slug) == self.panel_host:
            raise ValueError(f"{slug} is the name of the panel")
        return route


def document(site: Site, routes: Sequence[Route]) -> Json:
    """Raises ValueError when a route is not acceptable or two of them share a slug, a tenant, a port or an address."""
    wanted = sorted(
        (site.route(route.slug, route.tenant_id, route.port, route.listeners, route.hooks) for route in routes),
        key=lambda route: route.slug,
    )
    ports = [route.port for route in wanted if route.port is not None]
    addresses = [address for route in wanted for address in {listener.address for listener in route.listeners}]
    shared = (("slug", [r.slug for r in wanted]), ("tenant", [r.tenant_id for r in wanted]), ("port", ports), ("address", addresses))
    for what, values in shared:
        if len(set(values)) != len(values):
            raise ValueError(f"two routes share a {what}")
    tenants = [*(part for route in wanted for part in _listeners_of(site, route)), *(_tenant(site, route) for route in wanted)]
    public = [_panel(site), *tenants, _stopped(), *([_listening(site)] if addresses else []), _running(site)]
    return _whole(site, public, ask=_ask(site, [site.panel_host, *(site.host(route.slug) for route in wanted)]))


def base(site: Site) -> Json:
    """The document without any name: 404 for everything, until the worker sets a real one."""
    return _whole(site, [], ask=[])


def changed(current: Json | None, wanted: Json) -> bool:
    """Caddy returns a document exactly as it was set; anything else was changed by somebody."""
    return current != wanted


def fits(site: Site, kept: Json) -> bool:
    """Whether a document that was kept still listens where the settings say: else the worker could not reach the Caddy started with it."""
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
            **_server(_listen(site), [*_guards(), *public, _unknown()]),
            "protocols": ["h1", "h2"] if secure else ["h1"],
            "errors": {"routes": edge_pages.errors(_panel_hosts(site))},
            **({"tls_connection_policies": [{}]} if secure else {}),
        },
        "ask": {**_server(f"127.0.0.1:{site.ask_port}", [*ask, _unknown()]), "protocols": ["h1"]},
    }
    if secure:
        servers["redirect"] = {**_server(f":{site.http_port}", [_redirect(site), _unknown()]), "protocols": ["h1"]}
    return {
        "admin": {"listen": f"unix/{site.admin_socket}|0600", "config": {"persist": False}},
        "logging": _logging(),
        "apps": {
            "http": {"http_port": site.http_port, "https_port": site.https_port, "grace_period": "5s", "servers": servers},
            **_tls(site),
        },
    }


def _listen(site: Site) -> str:
    if site.tls != "off":
        return f":{site.https_port}"
    # Without TLS and with names that only this machine resolves, nobody else has business here.
    address = "127.0.0.1" if site.domain == "localhost" or site.domain.endswith(".localhost") else ""
    return f"{address}:{site.http_port}"


def _server(address: str, routes: list[Json]) -> Json:
    """No time limit for an answer: it would cut server-sent events and what a model takes long for. The one for a request ends only the
    reading of a body; streams and WebSockets outlive it."""
    return {
        "listen": [address],
        "read_header_timeout": "10s",
        "read_timeout": "10m",
        "write_timeout": "0s",
        "idle_timeout": "2m",
        "max_header_bytes": 32_768,
        "automatic_https": {"disable": True},
        "routes": routes,
    }


def _guards() -> list[Json]:
    """Before every host, the panel's too: nothing behind the edge ever sees such a header or path."""
    return [
        {"handle": [{"handler": "headers", "request": {"delete": CLIENT_HEADERS_DROPPED}}]},
        # An agent that understood `Upgrade: h2c` would open a tunnel in which the paths below are not looked at. WebSockets only.
        {
            "match": [{"not": [{"vars_regexp": {"{http.request.header.Upgrade}": {"pattern": "(?i)^(websocket)?$"}}}]}],
            "handle": [{"handler": "headers", "request": {"delete": ["Upgrade", "Http2-Settings"]}}],
        },
        {"match": edge_closed.ODD, "handle": [edge_pages.plain(400, "bad-path")], "terminal": True},
    ]


def _panel_hosts(site: Site) -> list[str]:
    """Local clients may not resolve *.localhost, so without TLS the panel also answers to the names every machine knows."""
    return [site.panel_host, "localhost", "127.0.0.1"] if site.tls == "off" else [site.panel_host]


def _panel(site: Site) -> Json:
    inner = [
        {"match": [{"path": edge_closed.PANEL}], "handle": [edge_pages.plain(404, "closed")], "terminal": True},
        {
            "handle": [
                {"handler": "headers", "response": {"deferred": True, "set": _secure_headers(site), "delete": [edge_pages.REASON_HEADER]}},
                {"handler": "request_body", "max_size": 8 << 20},
                _proxy(f"unix/{site.web_socket}"),
            ]
        },
    ]
    return {"match": [{"host": _panel_hosts(site)}], "handle": [{"handler": "subroute", "routes": inner}], "terminal": True}


def _tenant(site: Site, route: Route) -> Json:
    """Only names the tenant: what is done with it is the same for all, in `_running` and `_stopped`."""
    facts = {"zcp_state": "stopped"} if route.port is None else {"zcp_state": "running", "zcp_port": str(route.port)}
    facts |= {f"zcp_hook_{kind}": "open" for kind in sorted(route.hooks)}
    return {
        "group": "tenant",
        "match": [{"host": [site.host(route.slug)]}],
        "handle": [{"handler": "vars", "zcp_tenant": route.tenant_id, **facts}],
    }


def _listeners_of(site: Site, route: Route) -> list[Json]:
    """Before the tenant's own name, in its group: of a group only the first that matches is taken."""
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


def _listening(site: Site) -> Json:
    inner = [
        _marker(site),
        {"handler": "request_body", "max_size": 1 << 20},
        {"handler": "rewrite", "uri": "{http.vars.zcp_inner}"},
        _proxy("{http.vars.zcp_dial}"),
    ]
    return {"match": [{"vars": {"zcp_state": ["listening"]}}], "handle": inner, "terminal": True}


def _stopped() -> Json:
    return {"match": [{"vars": {"zcp_state": ["stopped"]}}], "handle": [edge_pages.stopped()], "terminal": True}


def _marker(site: Site) -> Json:
    """Deferred, or an agent could add a second marker with another tenant's id. Clear-Site-Data would clear the panel's cookies as well."""
    return {
        "handler": "headers",
        "response": {
            "deferred": True,
            "set": {edge_pages.TENANT_HEADER: ["{http.vars.zcp_tenant}"], **_secure_headers(site)},
            "delete": [edge_pages.REASON_HEADER, "Clear-Site-Data"],
        },
    }


def _running(site: Site) -> Json:
    closed = {"handle": [edge_pages.plain(404, "closed")], "terminal": True}
    inner = [
        {"match": [{"path": edge_closed.TENANT}], **closed},
        *(
            {"match": [{"path": paths, "not": [{"vars": {f"zcp_hook_{kind}": ["open"]}}]}], **closed}
            for kind, paths in edge_closed.HOOKS.items()
        ),
        {"handle": [_marker(site), {"handler": "request_body", "max_size": 32 << 20}, _proxy("127.0.0.1:{http.vars.zcp_port}")]},
    ]
    return {"match": [{"vars": {"zcp_state": ["running"]}}], "handle": [{"handler": "subroute", "routes": inner}], "terminal": True}


def _secure_headers(site: Site) -> Json:
    """Not with our own CA: browsers then refuse the exception a person has to make."""
    return {"Strict-Transport-Security": ["max-age=31536000"]} if site.tls in ("on_demand", "files") else {}


def _proxy(dial: str) -> Json:
    """Caddy itself overwrites X-Forwarded-For, -Proto and -Host, since no proxy in front is trusted."""
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


def _unknown() -> Json:
    return {"handle": [edge_pages.plain(404, "no-such-tenant")], "terminal": True}


def _redirect(site: Site) -> Json:
    port = "" if site.https_port == 443 else f":{site.https_port}"
    location = {"Location": [f"https://{{http.request.host}}{port}{{http.request.uri}}"]}
    return {
        "match": [{"host": [f"*.{site.domain}"], "not": [{"vars_regexp": {"{http.request.host}": {"pattern": "[^A-Za-z0-9.-]"}}}]}],
        "handle": [{"handler": "static_response", "status_code": 308, "headers": location}],
        "terminal": True,
    }


def _ask(site: Site, names: list[str]) -> list[Json]:
    """Names in the document are answered here, so that certificates work while the platform is down; for a name that is newer than the
    document, web is asked, and only when it looks like one of ours (the internet sends any)."""
    ours = {"{http.request.uri.query.domain}": {"pattern": rf"^[a-z0-9-]{{3,32}}\.{re.escape(site.domain)}$"}}
    asked = {"path": ["/ask"], "method": ["GET"]}
    return [
        {
            "match": [{**asked, "query": {"domain": names}}],
            "handle": [{"handler": "static_response", "status_code": 200}],
            "terminal": True,
        },
        {
            "match": [{**asked, "vars_regexp": ours}],
            "handle": [
                {"handler": "rewrite", "uri": "/internal/ask?domain={http.request.uri.query.domain}"},
                _proxy(f"unix/{site.web_socket}"),
            ],
            "terminal": True,
        },
    ]


def _logging() -> Json:
    """No access log. An error of a request is logged with the request: without its headers and its query, where credentials are."""
    fields = {
        "request>headers": {"filter": "delete"},
        "request>uri": {"filter": "regexp", "regexp": r"\?.*", "value": "?"},
        "resp_headers": {"filter": "delete"},
        "headers": {"filter": "delete"},
    }
    return {"logs": {"default": {"level": "INFO", "encoder": {"format": "filter", "wrap": {"format": "json"}, "fields": fields}}}}


def _tls(site: Site) -> Json:
    if site.tls == "off":
        return {}
    if site.tls == "files":
        files = {"certificate": str(site.certificate), "key": str(site.key)}
        stamp = {"tags": [site.certificate_stamp]} if site.certificate_stamp else {}
        return {"tls": {"certificates": {"load_files": [{**files, **stamp}]}}}
    issuer = "internal" if site.tls == "internal" else "acme"
    automation = {
        "policies": [{"on_demand": True, "issuers": [{"module": issuer}]}],
        "on_demand": {"permission": {"module": "http", "endpoint": f"http://127.0.0.1:{site.ask_port}/ask"}},
    }
    # Our own CA is not put into the system's trust store: that takes root, and the edge has none.
    pki = {"pki": {"certificate_authorities": {"local": {"install_trust": False}}}} if site.tls == "internal" else {}
    return {"tls": {"automation": automation}, **pki}
