"""The ranges of the tenants' networks."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.core.network import address, capacity, subnet

POOL = IPv4Network("10.83.0.0/16")


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


@given(st.integers(0, 8191))
def test_an_address_is_inside_its_range_and_not_the_gateways(index: int) -> None:
    own = subnet(index, POOL)
    assert str(own.network_address + 1) != address(index, POOL)
    assert IPv4Network(f"{address(index, POOL)}/32").subnet_of(own)
