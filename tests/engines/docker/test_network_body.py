"""The network of a tenant as the engine gets it: its subnet, its bridge, its labels."""

from ipaddress import IPv4Network

import pytest

from zcplatform.core.workload import TenantRef
from zcplatform.engines.docker.bodies import network_body
from zcplatform.ids import Names, TenantId

NAMES = Names("zc")
TENANT = TenantId("ten_01jd9a0000abcdefghjkmn")
POOL = IPv4Network("10.83.0.0/16")


def test_the_body() -> None:
    body = network_body(NAMES, TenantRef(TENANT, "acme"), 1, POOL)
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


@pytest.mark.parametrize(("tenant", "slug"), [("ten_x", "acme"), (TENANT, "panel"), (TENANT, "a/b"), ("op_01jd9a0000abcdefghjkmn", "acme")])
def test_a_hostile_row_builds_nothing(tenant: str, slug: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        network_body(NAMES, TenantRef(TenantId(tenant), slug), 1, POOL)


def test_bridges_fit_the_kernel() -> None:
    options = network_body(NAMES, TenantRef(TENANT, "acme"), 1, POOL)["Options"]
    assert len(options["com.docker.network.bridge.name"]) <= 15
