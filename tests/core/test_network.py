"""The network of a tenant: its subnet, its bridge, its labels."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.core.network import capacity, network_body, subnet
from zcplatform.ids import Names, TenantId

NAMES = Names("zc")
TENANT = TenantId("ten_01jd9a0000abcdefghjkmn")
POOL = IPv4Network("10.83.0.0/16")


def test_the_body() -> None:
    body = network_body(NAMES, TENANT, "acme", 1, POOL)
    assert body.pop("Labels").keys() == {"io.zcplatform.instance", "io.zcplatform.tenant", "io.zcplatform.spec"}
    assert body == {
        "Name": "zc-acme",
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.83.0.8/29", "Gateway": "10.83.0.9"}]},
        "Options": {
            "com.docker.network.bridge.name": NAMES.bridge(1),
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
        },
    }


@given(st.integers(0, 8191), st.integers(0, 8191))
def test_two_subnets_never_overlap(one: int, other: int) -> None:
    assert subnet(one, POOL).subnet_of(POOL)
    assert subnet(one, POOL).overlaps(subnet(other, POOL)) == (one == other)


def test_a_pool_has_an_end() -> None:
    assert capacity(POOL) == 8192
    assert capacity(IPv4Network("10.0.0.0/29")) == 1
    for index in (-1, 8192, True, "1"):
        with pytest.raises(ValueError, match="not inside"):
            subnet(index, POOL)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tenant", "slug"), [("ten_x", "acme"), (TENANT, "panel"), (TENANT, "a/b"), ("op_01jd9a0000abcdefghjkmn", "acme")])
def test_a_hostile_row_builds_nothing(tenant: str, slug: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        network_body(NAMES, TenantId(tenant), slug, 1, POOL)


def test_bridges_fit_the_kernel() -> None:
    options = network_body(NAMES, TENANT, "acme", 1, POOL)["Options"]
    assert len(options["com.docker.network.bridge.name"]) <= 15
