"""Compare the pool of the tenants' networks with the host's routes: a tenant's network inside one of them would cut that network off."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from zcplatform.core.network import PREFIX_LENGTH


@dataclass(frozen=True)
class HostNetwork:
    """A route of this host."""

    network: IPv4Network
    device: str

    def __str__(self) -> str:
        return f"{self.network} on {self.device}"


def overlaps(pool: IPv4Network, routes: Iterable[HostNetwork], bridge_prefix: str) -> tuple[HostNetwork, ...]:
    """Return other programs' routes that overlap the pool. The default route and our own bridges are ignored."""
    return tuple(
        route
        for route in routes
        if route.network.prefixlen > 0 and not route.device.startswith(bridge_prefix) and route.network.overlaps(pool)
    )


def inside(pool: IPv4Network, found: Iterable[HostNetwork]) -> tuple[HostNetwork, ...]:
    """Return the networks within the pool, which tenants' networks would cut off. A wider route (10.0.0.0/8 to a gateway) only loses the pool."""
    return tuple(each for each in found if each.network.prefixlen >= pool.prefixlen)


def taken(pool: IPv4Network, found: Iterable[HostNetwork]) -> frozenset[int]:
    """Indexes of the /29 networks of the pool that must not be used."""
    step = 32 - PREFIX_LENGTH
    first = int(pool.network_address) >> step
    return frozenset(
        number - first
        for each in inside(pool, found)
        for number in range(int(each.network.network_address) >> step, (int(each.network.broadcast_address) >> step) + 1)
    )
