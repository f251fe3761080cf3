"""The pool against the routes of a host."""

from ipaddress import IPv4Network

import pytest

from zcplatform.core import subnet_pool
from zcplatform.core.network import subnet
from zcplatform.core.subnet_pool import HostNetwork

POOL = IPv4Network("10.83.0.0/16")


def _route(network: str, device: str = "eth0") -> HostNetwork:
    return HostNetwork(IPv4Network(network), device)


@pytest.mark.parametrize(
    ("network", "device", "is_one"),
    [
        ("10.83.5.0/24", "eth0", True),
        ("10.83.0.8/29", "br-1234", True),
        ("10.0.0.0/8", "tun0", True),
        ("10.83.0.8/29", "zcpfff00001", True),
        ("10.83.0.8/29", "zcpa1b00001", False),
        ("0.0.0.0/0", "eth0", False),
        ("10.84.0.0/16", "eth0", False),
        ("192.168.1.0/24", "eth0", False),
    ],
)
def test_networks_of_others_that_share_addresses_are_named(network: str, device: str, is_one: bool) -> None:
    found = subnet_pool.overlaps(POOL, [_route(network, device)], "zcpa1b")
    assert [str(each) for each in found] == ([f"{network} on {device}"] if is_one else [])


def test_only_what_lies_inside_takes_numbers() -> None:
    found = [_route("10.83.0.16/28"), _route("10.0.0.0/8"), _route("10.83.1.4/32")]
    assert subnet_pool.inside(POOL, found) == (found[0], found[2])
    numbers = subnet_pool.taken(POOL, found)
    assert numbers == {2, 3, 32}
    for number in range(64):
        own = subnet(number, POOL)
        assert (number in numbers) == any(own.overlaps(each.network) for each in (found[0], found[2]))
