"""Which servers a tenant's agent may be pointed at: the public ones, and those inside that the operator named in the settings file.

Names are resolved by the agent behind the firewall, which drops the same ranges; what is refused here would only not be reached there.
"""

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit


def unreachable(allowed: Collection[str], address: str) -> str | None:
    """Why a server (a URL, or a bare name) would not be reached; None when it may be. `allowed` holds HOST:PORT."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host, port = (
            (parts.hostname or "").rstrip("."),
            parts.port or {"https": 443, "http": 80, "mqtt": 1883, "mqtts": 8883}.get(parts.scheme),
        )
    except ValueError:
        return "is not an address"
    if not is_inside(host) or f"{host}:{port}" in allowed or (port is None and any(one.rpartition(":")[0] == host for one in allowed)):
        return None
    named = f"{host}:{port}" if port else host
    return f"leads to {named}, inside the host's own networks; the operator can allow it in `allowed_hosts` of the settings file"


def is_inside(host: str) -> bool:
    """Addresses that are not public."""
    if not host or host == "localhost" or host.endswith((".localhost", ".internal", ".local")):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host.replace(".", "").replace("x", "").isalnum() and host[-1].isdigit()
