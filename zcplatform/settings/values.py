"""Types of settings. Each refuses a wrong value with words that follow the name of the setting: "must be …"."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from zcplatform.core.mailboxes import canonical

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
LONGEST_DOMAIN = 220
"""A host name has at most 253 characters; the rest is for a tenant's slug."""
FIRST_UID, LAST_UID = 1_000, 2_000_000_000
FIRST_PORT, LAST_PORT = 1_024, 65_535
MOST_RESOLVERS = 16
"""The C library of an agent reads the first three; a settings file may name more."""


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


def _range(value: str, first: int, last: int) -> str:
    match = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", value)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError("must be FIRST-LAST, for example 20000-29999")
    if int(match[1]) < first or int(match[2]) > last:
        raise ValueError(f"must be within {first}-{last}")
    return value


def _host_port(value: str) -> str:
    host, separator, port = value.rpartition(":")
    if not separator or not (port.isascii() and port.isdigit() and len(port) < 6) or not 0 < int(port) < 65_536:
        raise ValueError("must be ADDRESS:PORT, for example 10.0.0.5:11434")
    _ipv4(host)
    return value


def _ipv4(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError(f"must be an IPv4 address, for example 10.0.0.5, not {value!r}") from None


def _resolvers(value: list[str]) -> list[str]:
    if not 1 <= len(value) <= MOST_RESOLVERS:
        raise ValueError(f"must name one to {MOST_RESOLVERS} name servers")
    return value


def _subnets(value: str) -> str:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise ValueError("must be an IPv4 network, for example 10.83.0.0/16") from None
    if not 8 <= network.prefixlen <= 29:
        raise ValueError("must be a network between /8 and /29")
    return value


def _proxy(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        raise ValueError(f"must be addresses or networks, for example 10.0.0.7 or 10.0.0.0/24, not {value!r}") from None
    if network.prefixlen == 0:
        raise ValueError("must name the proxies in front of the edge: this is every address")
    return str(network)


def _domain(value: str) -> str:
    labels = value.split(".")
    if labels[-1].isdigit():
        raise ValueError(f"must be a domain name, not the address {value!r}: tenants live at SLUG.{value}")
    if len(value) > LONGEST_DOMAIN or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"must be a domain name in lower case, for example agents.example.com, not {value[:100]!r}")
    return value


def _host(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if len(value) > 253 or not all(_LABEL.fullmatch(label) for label in value.lower().removesuffix(".").split(".")):
            raise ValueError("must be a host name or an address, for example mail.example.com") from None
    return value


def _public_url(value: str) -> str:
    parts = urlsplit(value)
    try:
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        port, host = None, ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    if usual is None or not host or parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must be the panel's address, for example https://panel.example.com, without a path")
    _domain(host)
    return f"{parts.scheme}://{host}{'' if port in (None, usual) else f':{port}'}"


def _absolute(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError("must be an absolute path")
    return value


def _user(value: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", value) is None or value == "root":
        raise ValueError("must be the name of an unprivileged user, for example zcplatform-web")
    return value


def _instance(value: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9]{0,11}", value) is None:
        raise ValueError("must be 1 to 12 lower-case letters and digits and start with a letter")
    return value


def _model(value: str) -> str:
    if re.fullmatch(r"[a-z0-9_]+/.{1,200}", value) is None:
        raise ValueError("must name each model as PROVIDER/MODEL, for example custom/echo")
    return value


def _mailbox(value: str) -> str:
    address = canonical(value)
    if address is None:
        raise ValueError("must be a mail address, for example zcplatform@example.com")
    return address


def _within(first: int, last: int) -> AfterValidator:
    return AfterValidator(lambda value: _range(value, first, last))


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
HostPort = Annotated[str, AfterValidator(_host_port)]
PortRange = Annotated[str, _within(FIRST_PORT, LAST_PORT)]
UidRange = Annotated[str, _within(FIRST_UID, LAST_UID)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Subnets = Annotated[str, AfterValidator(_subnets)]
Resolvers = Annotated[list[Annotated[str, AfterValidator(_ipv4)]], AfterValidator(_resolvers)]
Proxy = Annotated[str, AfterValidator(_proxy)]
Domain = Annotated[str, AfterValidator(_domain)]
Host = Annotated[str, AfterValidator(_host)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
UserName = Annotated[str, AfterValidator(_user)]
Instance = Annotated[str, AfterValidator(_instance)]
Model = Annotated[str, AfterValidator(_model)]
Mailbox = Annotated[str, AfterValidator(_mailbox)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class ModelPrice(BaseModel, frozen=True, extra="forbid"):
    """USD for a million tokens."""

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
