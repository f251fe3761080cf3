"""The platform calls what an agent could call, and nothing else."""

import pytest

from zcplatform.core.addresses import may_be_called
from zcplatform.core.firewall import CLOSED_RANGES


@pytest.mark.parametrize("address", [network.split("/")[0] for network in CLOSED_RANGES])
def test_what_the_firewall_drops_is_closed(address: str) -> None:
    assert not may_be_called(address, 443, [])
    assert may_be_called(address, 443, [f"{address}:443"])
    assert not may_be_called(address, 444, [f"{address}:443"])


def test_public_addresses_are_open_but_for_mail() -> None:
    assert may_be_called("1.1.1.1", 443, [])
    assert not any(may_be_called("1.1.1.1", port, []) for port in (0, 25, 465, 587, 65_536))


@pytest.mark.parametrize("address", ["", "localhost", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2606:4700::1111", "127.1", "1.1.1.1 "])
def test_what_is_no_address_of_this_kind_is_closed(address: str) -> None:
    assert not may_be_called(address, 443, [])
