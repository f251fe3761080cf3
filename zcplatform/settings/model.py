"""Every setting with its type, bounds and default, and the values derived from several settings."""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, model_validator

from zcplatform.settings.values import (
    AbsolutePath,
    Domain,
    Host,
    HostPort,
    Instance,
    Mailbox,
    Model,
    ModelPrice,
    Port,
    PortRange,
    Proxy,
    PublicUrl,
    Resolvers,
    Span,
    Subnets,
    UidRange,
    UserName,
)

RENAMED = {"converge_period_s": "reconcile_period_s"}
"""Old names of settings, which keep working."""


class Settings(BaseModel, frozen=True, extra="forbid", validate_default=True):
    """Every setting with its default. docs/reference/settings.md explains each; a test keeps the two equal."""

    instance: Instance = "zc"
    data_dir: AbsolutePath = Path("/var/lib/zcplatform/data")
    run_dir: AbsolutePath = Path("/run/zcplatform")
    key_file: AbsolutePath = Path("/etc/zcplatform/root.key")
    key_source: Literal["file", "credential", "passphrase"] = "file"
    web_user: UserName = "zcplatform-web"
    edge_user: UserName = "zcplatform-edge"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    docker_socket: AbsolutePath = Path("/var/run/docker.sock")
    caddy_binary: AbsolutePath | None = None

    domain: Domain = "localhost"
    public_url: PublicUrl | None = None
    trusted_proxies: Annotated[list[Proxy], Field(max_length=64)] = []
    tls: Literal["on_demand", "files", "internal", "off"] = "off"
    tls_certificate: AbsolutePath | None = None
    tls_key: AbsolutePath | None = None
    http_port: Port = 80
    https_port: Port = 443
    ask_port: Port = 9180

    ports: PortRange = "20000-29999"
    uids: UidRange = "700000-765535"
    subnets: Subnets = "10.83.0.0/16"
    resolvers: Resolvers = ["1.1.1.1", "9.9.9.9"]
    allowed_hosts: list[HostPort] = []
    allow_swap: bool = False
    model_prices: dict[Model, ModelPrice] = {}

    image_repositories: list[str] = ["ghcr.io/zeroclaw-labs/zeroclaw"]
    image_binaries: list[AbsolutePath] = []

    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    start_boosts: Annotated[int, Field(ge=0, le=64)] = 2
    reconcile_period_s: Annotated[float, Field(ge=0.5, le=300)] = 10
    health_period_s: Annotated[float, Field(ge=1, le=600)] = 30
    start_timeout_s: Annotated[float, Field(ge=1, le=900)] = 60
    audit_anchor: AbsolutePath | Literal["syslog"] | None = None
    syslog_socket: AbsolutePath = Path("/dev/log")
    event_days: Annotated[int, Field(ge=1, le=3650)] = 30

    mail_host: Host | None = None
    mail_port: Port | None = None
    mail_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_username: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    mail_password_file: AbsolutePath | None = None
    mail_from: Mailbox | None = None
    mail_ca_file: AbsolutePath | None = None
    session_idle_s: Annotated[int, Field(ge=60, le=86_400)] = 7_200

    requests_address: Annotated[int, Field(ge=60, le=1_000_000)] = 3_000
    requests_account: Annotated[int, Field(ge=60, le=1_000_000)] = 6_000
    requests_tenant: Annotated[int, Field(ge=60, le=1_000_000)] = 6_000
    streams_account: Annotated[int, Field(ge=1, le=300)] = 20
    streams_tenant: Annotated[int, Field(ge=1, le=300)] = 50
    streams_all: Annotated[int, Field(ge=1, le=300)] = 300

    @model_validator(mode="after")
    def _anchors_are_elsewhere(self) -> Self:
        if isinstance(self.audit_anchor, Path) and self.audit_anchor.is_relative_to(self.data_dir):
            raise ValueError("`audit_anchor` must be outside data_dir: anyone who can change the log there could change its anchors")
        return self

    @model_validator(mode="after")
    def _edge_fits_together(self) -> Self:
        if self.tls == "files" and (self.tls_certificate is None or self.tls_key is None):
            raise ValueError("`tls_certificate` and `tls_key` are needed with tls = files")
        if self.tls == "off" and self.public_url is not None and self.public_url.startswith("https:") and not self.trusted_proxies:
            raise ValueError("`trusted_proxies` must name the TLS proxy in front of the edge: without it all clients share one rate limit")
        if self.tls != "off" and self.public_url is not None and self.public_url.startswith("http:"):
            raise ValueError(f"`public_url` must begin with https:// because tls = {self.tls}")
        used = [self.http_port, self.ask_port, *([] if self.tls == "off" else [self.https_port])]
        if len(set(used)) != len(used):
            raise ValueError("`http_port`, `https_port` and `ask_port` must be different ports")
        if self.web_user == self.edge_user:
            raise ValueError("`web_user` and `edge_user` must be two different users")
        return self

    @model_validator(mode="after")
    def _mail_fits_together(self) -> Self:
        if self.mail_host is not None and self.mail_from is None:
            raise ValueError("`mail_from` is missing: mail_host needs it")
        if (self.mail_username is None) != (self.mail_password_file is None):
            raise ValueError("`mail_username` and `mail_password_file` are set together or not at all")
        if self.mail_username is not None and self.mail_security == "none":
            raise ValueError("`mail_username` needs mail_security = tls or starttls: the password would be sent in clear")
        return self

    @property
    def panel_host(self) -> str:
        return urlsplit(self.public_url or "").hostname or f"panel.{self.domain}"

    @property
    def panel_url(self) -> str:
        """The address in mail and links, and the origin that browsers send. No slash at its end."""
        return self.public_url or f"{self._scheme}://{self.panel_host}{self._port}"

    def tenant_url(self, slug: str) -> str:
        """A tenant's address, behind the same proxy and port as the panel."""
        parts = urlsplit(self.panel_url)
        return f"{parts.scheme}://{slug}.{self.domain}{'' if parts.port is None else f':{parts.port}'}/"

    @property
    def _scheme(self) -> str:
        return "http" if self.tls == "off" else "https"

    @property
    def _port(self) -> str:
        port, usual = (self.http_port, 80) if self.tls == "off" else (self.https_port, 443)
        return "" if port == usual else f":{port}"

    @property
    def panel_origins(self) -> frozenset[str]:
        """Origins from which a browser may act. Without TLS the edge also answers to the names every machine knows."""
        port = "" if self.http_port == 80 else f":{self.http_port}"
        local = {f"http://localhost{port}", f"http://127.0.0.1{port}"} if self.tls == "off" else set()
        return frozenset({self.panel_url, *local})

    @property
    def anchor_file(self) -> Path:
        """The file for anchors of the audit log: never below `data_dir`, or a copy of that would carry both."""
        return self.audit_anchor if isinstance(self.audit_anchor, Path) else self.data_dir.with_name(f"{self.data_dir.name}.anchors")

    @property
    def database(self) -> Path:
        return self.data_dir / "db" / "zcplatform.db"

    @property
    def tenants_dir(self) -> Path:
        return self.data_dir / "tenants"

    @property
    def check_dir(self) -> Path:
        """Mounts of configurations that are only checked, one folder per purpose."""
        return self.run_dir / "check"

    @property
    def config_dir(self) -> Path:
        """The parent of one small tmpfs per tenant."""
        return self.run_dir / "config"

    @property
    def web_socket(self) -> Path:
        """HTTP; only root and the edge user may open it."""
        return self.run_dir / "edge" / "web.sock"

    @property
    def worker_socket(self) -> Path:
        """Live requests of the web process; only root and the web user may open it."""
        return self.run_dir / "web" / "worker.sock"

    @property
    def worker_heartbeat(self) -> Path:
        """An empty file that the worker touches every ten seconds. A commit instead would make every reader load the database again."""
        return self.run_dir / "web" / "worker.alive"

    @property
    def caddy_socket(self) -> Path:
        return self.run_dir / "caddy" / "admin.sock"

    @property
    def edge_document(self) -> Path:
        """The last document that Caddy accepted: written by the worker, read by the edge when it starts."""
        return self.run_dir / "edge" / "document.json"

    @property
    def port_span(self) -> Span:
        return Span.parse(self.ports)

    @property
    def uid_span(self) -> Span:
        return Span.parse(self.uids)

    @property
    def subnet_network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self.subnets)
