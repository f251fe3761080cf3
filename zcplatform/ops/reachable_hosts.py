"""Servers that a tenant's settings may name: public ones, and internal ones that the operator allows in the settings file.

This check only gives an early error. The agent resolves names behind the firewall, which drops the same ranges.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def unreachable(allowed: Collection[str], address: str) -> str | None:
    """Return why a server (a URL, or a bare name) could not be reached, or None if it may be. `allowed` holds HOST:PORT."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = (
            (parts.hostname or "").rstrip("."),
            parts.port or {"https": 443, "http": 80, "mqtt": 1883, "mqtts": 8883}.get(parts.scheme),
        )
    except ValueError:
        return "is not an address"
    if not is_inside(host) or f"{host}:{port}" in allowed or (port is None and any(pair.rpartition(":")[0] == host for pair in allowed)):
        return None
    named = f"{host}:{port}" if port else host
    return f"leads to {named}, inside the host's own networks; the operator can allow it in `allowed_hosts` of the settings file"


def is_inside(host: str) -> bool:
    """Return those of the addresses that are not public."""
    if not host or host == "localhost" or host.endswith((".localhost", ".internal", ".local")):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host.replace(".", "").replace("x", "").isalnum() and host[-1].isdigit()
