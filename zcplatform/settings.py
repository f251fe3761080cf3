"""The settings of one installation: a root-owned TOML file, overridden by `ZCPLATFORM_*` variables. Unknown keys and wrong types are refused.

The file is the only place that widens what the worker may do (images, ranges, hosts a tenant may reach): rows can not.
"""

import ipaddress
import json
import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from zcplatform.core.mailboxes import canonical
from zcplatform.errors import CannotRun

DEFAULT_PATH = Path("/etc/zcplatform/zcplatform.toml")


def _host_port(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be ADDRESS:PORT, for example 10.0.0.5:11434")
    ipaddress.IPv4Address(host)
    return value


def _range(value: str) -> str:
    match = re.fullmatch(r"(\d+)-(\d+)", value)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError("must be FIRST-LAST, for example 20000-29999")
    return value


def _subnets(value: str) -> str:
    if ipaddress.IPv4Network(value).prefixlen > 29:
        raise ValueError("must be a network of at least /29")
    return value


def _mailbox(value: str) -> str:
    address = canonical(value)
    if address is None:
        raise ValueError("must be a mail address, for example zcplatform@example.com")
    return address


HostPort = Annotated[str, AfterValidator(_host_port)]
Range = Annotated[str, AfterValidator(_range)]
Port = Annotated[int, Field(ge=1, le=65535)]


class ModelPrice(BaseModel, frozen=True, extra="forbid"):
    """USD for a million tokens."""

    input: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    output: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    cached_input: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    cache_write: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Span(BaseModel, frozen=True):
    """Whole numbers from first to last, both included."""

    first: int
    last: int

    @classmethod
    def parse(cls, value: str) -> "Span":
        first, last = value.split("-")
        return cls(first=int(first), last=int(last))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last

    def __len__(self) -> int:
        return self.last - self.first + 1


class Settings(BaseModel, frozen=True, extra="forbid", validate_default=True):
    """Every setting with its default. docs/reference/settings.md explains each; a test keeps the two equal."""

    instance: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,11}$")] = "zc"
    data_dir: Path = Path("/var/lib/zcplatform/data")
    run_dir: Path = Path("/run/zcplatform")
    key_file: Path = Path("/etc/zcplatform/root.key")
    key_source: Literal["file", "credential", "passphrase"] = "file"
    web_user: str = "zcplatform-web"
    edge_user: str = "zcplatform-edge"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    docker_socket: Path = Path("/var/run/docker.sock")
    caddy_binary: Path | None = None

    domain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$")] = "localhost"
    tls: Literal["on_demand", "files", "internal", "off"] = "off"
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    http_port: Port = 80
    https_port: Port = 443
    ask_port: Port = 9180

    ports: Range = "20000-29999"
    uids: Range = "700000-765535"
    subnets: Annotated[str, AfterValidator(_subnets)] = "10.83.0.0/16"
    resolvers: list[Annotated[str, AfterValidator(lambda value: str(ipaddress.IPv4Address(value)))]] = ["1.1.1.1", "9.9.9.9"]
    allowed_hosts: list[HostPort] = []
    allow_swap: bool = False
    model_prices: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+/.{1,200}$")], ModelPrice] = {}

    image_repositories: list[str] = ["ghcr.io/zeroclaw-labs/zeroclaw"]
    image_binaries: list[Path] = []

    parallel: Annotated[int, Field(ge=1, le=64)] = 4
    converge_period_s: Annotated[float, Field(ge=0.5, le=300)] = 10
    health_period_s: Annotated[float, Field(ge=1, le=600)] = 30
    start_timeout_s: Annotated[float, Field(ge=1, le=900)] = 60
    audit_anchor: Path | Literal["syslog"] | None = None
    syslog_socket: Path = Path("/dev/log")
    event_days: Annotated[int, Field(ge=1, le=3650)] = 30

    mail_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")] | None = None
    mail_port: Port | None = None
    mail_security: Literal["starttls", "tls", "none"] = "starttls"
    mail_username: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    mail_password_file: Path | None = None
    mail_from: Annotated[str, AfterValidator(_mailbox)] | None = None
    mail_ca_file: Path | None = None
    session_idle_s: Annotated[int, Field(ge=60, le=86_400)] = 7_200

    requests_address: Annotated[int, Field(ge=60, le=1_000_000)] = 3_000
    requests_account: Annotated[int, Field(ge=60, le=1_000_000)] = 6_000
    requests_tenant: Annotated[int, Field(ge=60, le=1_000_000)] = 6_000
    streams_account: Annotated[int, Field(ge=1, le=300)] = 20
    streams_tenant: Annotated[int, Field(ge=1, le=300)] = 50
    streams_all: Annotated[int, Field(ge=1, le=300)] = 300

    @model_validator(mode="after")
    def _anchors_lie_elsewhere(self) -> Self:
        if isinstance(self.audit_anchor, Path):
            if not self.audit_anchor.is_absolute():
                raise ValueError("audit_anchor must be an absolute path, or syslog")
            if self.audit_anchor.is_relative_to(self.data_dir):
                raise ValueError("audit_anchor lies inside data_dir: who changes the log there would change its anchors")
        return self

    @model_validator(mode="after")
    def _mail_fits_together(self) -> Self:
        if self.mail_host is not None and self.mail_from is None:
            raise ValueError("mail_from is missing: mail_host needs it")
        if (self.mail_username is None) != (self.mail_password_file is None):
            raise ValueError("mail_username and mail_password_file are set together or not at all")
        if self.mail_username is not None and self.mail_security == "none":
            raise ValueError("mail_username needs mail_security = tls or starttls: the password would be sent in clear")
        return self

    @property
    def panel_host(self) -> str:
        return f"panel.{self.domain}"

    @property
    def panel_url(self) -> str:
        """Without a slash at its end; what mail and links lead to, and the origin that browsers send."""
        scheme, port, usual = ("http", self.http_port, 80) if self.tls == "off" else ("https", self.https_port, 443)
        return f"{scheme}://{self.panel_host}{'' if port == usual else f':{port}'}"

    @property
    def panel_origins(self) -> frozenset[str]:
        """Where a browser may act from. Without TLS the edge answers to the names every machine knows, too."""
        port = "" if self.http_port == 80 else f":{self.http_port}"
        local = {f"http://localhost{port}", f"http://127.0.0.1{port}"} if self.tls == "off" else set()
        return frozenset({self.panel_url, *local})

    @property
    def anchor_file(self) -> Path:
        """Where the audit log's anchors go when they go into a file: never below `data_dir`, whose copy would carry both."""
        return self.audit_anchor if isinstance(self.audit_anchor, Path) else self.data_dir.with_name(f"{self.data_dir.name}.anchors")

    @property
    def database(self) -> Path:
        return self.data_dir / "db" / "zcplatform.db"

    @property
    def tenants_dir(self) -> Path:
        return self.data_dir / "tenants"

    @property
    def check_dir(self) -> Path:
        """Mounts of configurations that are only checked, in a folder for each purpose."""
        return self.run_dir / "check"

    @property
    def config_dir(self) -> Path:
        """Below it one small tmpfs for each tenant."""
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
        """The last document that Caddy accepted; written by the worker, read by the edge at its start."""
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


def load(path: Path | None = None) -> Settings:
    """Read the settings file; without `path`, the one named by ZCPLATFORM_SETTINGS, else the default one, which may be missing.

    Raises CannotRun with the name of the key that is wrong.
    """
    named = path or (Path(os.environ["ZCPLATFORM_SETTINGS"]) if "ZCPLATFORM_SETTINGS" in os.environ else None)
    values = _read(named) if named else (_read(DEFAULT_PATH) if DEFAULT_PATH.exists() else {})
    try:
        return Settings(**values | _environment())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or first["msg"].removeprefix("Value error, ").split(" ")[0]
        what = "is not a setting" if first["type"] == "extra_forbidden" else f"is not valid: {first['msg']}"
        raise CannotRun(
            "settings.invalid", f"{named or DEFAULT_PATH}: `{key}` {what}", "docs/reference/settings.md lists every key"
        ) from None


def _environment() -> dict[str, Any]:
    """What variables say, as text; lists and tables as JSON."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        variable = f"ZCPLATFORM_{name.upper()}"
        if variable not in os.environ:
            continue
        found[name] = os.environ[variable]
        if isinstance(field.default, list | dict):
            try:
                found[name] = json.loads(found[name])
            except ValueError as error:
                raise CannotRun(
                    "settings.syntax", f"{variable} is not JSON: {error}", "docs/reference/settings.md lists every key"
                ) from None
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno())
            if mode.st_uid != os.geteuid() or mode.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise CannotRun(
                    "settings.rights",
                    f"{path} can be changed by others than its user",
                    f"chown root {path} && chmod 644 {path}",
                )
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise CannotRun("settings.syntax", f"{path} is not TOML: {error}", "mend that line") from None
    except OSError as error:
        raise CannotRun("settings.unreadable", f"{path} can not be read: {error.strerror}", "name a file that exists") from None
