"""The ranges of the tenants' networks: a /29 each, carved from one pool."""

import ipaddress

PREFIX_LENGTH = 29
_SIZE = 1 << (32 - PREFIX_LENGTH)


def capacity(pool: ipaddress.IPv4Network) -> int:
    return pool.num_addresses // _SIZE


def subnet(index: int, pool: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
    """Return the `index`th /29 of the pool, counted from 0. Raises ValueError beyond its end."""
    if type(index) is not int or not 0 <= index < capacity(pool):
        raise ValueError(f"subnet {index!r} is not inside {pool}")
    return ipaddress.IPv4Network((int(pool.network_address) + index * _SIZE, PREFIX_LENGTH))


def address(index: int, pool: ipaddress.IPv4Network) -> str:
    """Return the container's address in its network. It never changes, so the edge can reach channel listeners beside the published port."""
    return str(subnet(index, pool).network_address + 2)
