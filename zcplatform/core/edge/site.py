"""What the edge needs to know: the installation's names and ports (`Site`), and each tenant's name with its target (`Route`).

Rows are hostile: every slug, tenant id, port and path is validated here before it enters Caddy's document.
"""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zcplatform.agent import closed_paths
from zcplatform.core.edge.pages import Page
from zcplatform.ids import is_id
from zcplatform.settings import Settings, Span

LISTENER_PORTS = range(8090, 8122)
"""Container ports that a channel with its own HTTP listener may use, beside the agent's published port."""

_SLUG = re.compile(r"(?!xn--)[a-z0-9][a-z0-9-]{1,30}[a-z0-9]")
_LISTENER_PATH = re.compile(r"/channels/[a-z_]{1,32}/[a-z0-9_]{1,63}")
_INNER_PATH = re.compile(r"(/[a-z]{1,16}){1,2}")


@dataclass(frozen=True)
class Listener:
    """A channel with its own HTTP listener: `POST path` on the tenant's name is proxied to `inner` at this address in the tenant's network."""

    path: str
    address: str
    port: int
    inner: str

    def __post_init__(self) -> None:
        if _LISTENER_PATH.fullmatch(self.path) is None or _INNER_PATH.fullmatch(self.inner) is None:
            raise ValueError(f"{self.path!r} to {self.inner!r} is not a path of a channel")
        ipaddress.IPv4Address(self.address)
        if type(self.port) is not int or self.port not in LISTENER_PORTS:
            raise ValueError(f"{self.port!r} is not a channel's port")


@dataclass(frozen=True)
class Route:
    """A tenant's name at the edge. Without a port (stopped, or between two containers) the name answers 503.

    `hooks`: the channel types of `closed_paths.HOOKS` whose webhook paths are open for this tenant.
    """

    slug: str
    tenant_id: str
    port: int | None
    listeners: tuple[Listener, ...] = ()
    hooks: tuple[str, ...] = ()
    page: Page = Page.STOPPED
    """What visitors read while there is no port."""

    def __post_init__(self) -> None:
        if _SLUG.fullmatch(self.slug) is None:
            raise ValueError(f"{self.slug!r} is not a slug")
        if not (self.tenant_id.startswith("ten_") and is_id(self.tenant_id)):
            raise ValueError(f"{self.tenant_id!r} is not a tenant's id")
        if self.port is not None and (type(self.port) is not int or not 0 < self.port < 65536):
            raise ValueError(f"{self.port!r} is not a port")
        if not set(self.hooks) <= set(closed_paths.HOOKS):
            raise ValueError(f"{self.hooks!r} are not channel types with webhook paths")
        if len({listener.path for listener in self.listeners}) != len(self.listeners):
            raise ValueError(f"two channels of {self.slug} share a path")


@dataclass(frozen=True)
class Site:
    """The settings that the edge depends on.

    `certificate_stamp` changes with the operator's certificate files, which makes Caddy read them again.
    """

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
    trusted_proxies: tuple[str, ...]
    forwarded_proto: Literal["http", "https"]
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
            trusted_proxies=tuple(settings.trusted_proxies),
            forwarded_proto="https" if settings.panel_url.startswith("https:") else "http",
            web_socket=settings.web_socket,
            admin_socket=settings.caddy_socket,
            certificate_stamp=certificate_stamp,
        )

    def host(self, slug: str) -> str:
        return f"{slug}.{self.domain}"

    def check(self, route: Route) -> Route:
        """Return the route if it fits this installation; a port outside the range would publish a service of the host. Raises ValueError."""
        if route.port is not None and route.port not in self.ports:
            raise ValueError(f"port {route.port} of {route.slug} is outside {self.ports.first}-{self.ports.last}")
        if any(ipaddress.IPv4Address(listener.address) not in self.subnets for listener in route.listeners):
            raise ValueError(f"a channel of {route.slug} is outside {self.subnets}")
        if self.host(route.slug) == self.panel_host:
            raise ValueError(f"{route.slug} is the name of the panel")
        return route
