"""Addresses that the platform may call on behalf of a tenant. They are those an agent reaches through the firewall, so provider tests are realistic."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network

from zcplatform.core.firewall import CLOSED_RANGES, MAIL_PORTS

_CLOSED = tuple(IPv4Network(text) for text in CLOSED_RANGES)
_MAIL = frozenset(int(port) for port in MAIL_PORTS.split(","))


def may_be_called(address: str, port: int, allowed: Collection[str]) -> bool:
    """Whether the platform may call this address. `allowed`: the ADDRESS:PORT pairs of the settings file.

    Anything but IPv4 is closed, as it is for agents.
    """
    try:
        parsed = IPv4Address(address)
    except ValueError:
        return False
    if f"{parsed}:{port}" in allowed:
        return True
    return 0 < port < 65_536 and port not in _MAIL and not any(parsed in closed for closed in _CLOSED)
