"""The network of a tenant: one bridge each, named so that the firewall knows it, with a /29 of our own pool.

The engine's own pools end at about thirty networks, and `enable_icc=false` alone keeps a container from its neighbours only: what keeps it
from the host and from private networks is the firewall (core/firewall.py).
"""

import ipaddress
from typing import Any

from zcplatform.core.container import spec_hash
from zcplatform.core.slugs import is_slug
from zcplatform.ids import LABEL_SPEC, Names, TenantId, is_id

PREFIX_LENGTH = 29
_SIZE = 1 << (32 - PREFIX_LENGTH)


def capacity(pool: ipaddress.IPv4Network) -> int:
    return pool.num_addresses // _SIZE


def subnet(index: int, pool: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
    """The `index`th /29 of the pool, counted from 0; ValueError beyond its end."""
    if type(index) is not int or not 0 <= index < capacity(pool):
        raise ValueError(f"subnet {index!r} is not inside {pool}")
    return ipaddress.IPv4Network((int(pool.network_address) + index * _SIZE, PREFIX_LENGTH))


def address(index: int, pool: ipaddress.IPv4Network) -> str:
    """Of the container in its network: always the same, so that the edge finds what listens there besides the published port."""
    return str(subnet(index, pool).network_address + 2)


def network_body(names: Names, tenant_id: TenantId, slug: str, subnet_index: int, subnets: ipaddress.IPv4Network) -> dict[str, Any]:
    """What `POST /networks/create` gets."""
    if not is_id(tenant_id) or not tenant_id.startswith("ten_"):
        raise ValueError("tenant_id is not the id of a tenant")
    if not is_slug(slug):
        raise ValueError("slug is not a slug")
    own = subnet(subnet_index, subnets)
    body: dict[str, Any] = {
        "Name": names.network(slug),
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(own), "Gateway": str(own.network_address + 1)}]},
        "Options": {
            "com.docker.network.bridge.name": names.bridge(subnet_index),
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
        },
        "Labels": dict(names.labels(tenant_id)),
    }
    body["Labels"][LABEL_SPEC] = spec_hash(body)
    return body
