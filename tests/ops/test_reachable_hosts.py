"""Which servers a tenant's agent may be pointed at: nothing inside the host's networks but what the operator named, however it is written."""

import pytest

from zcplatform.ops.reachable_hosts import unreachable

ALLOWED = ("10.0.0.5:8080", "llm.internal:443", "10.0.0.9:1883")

OPEN = [
    "https://api.example.com/v1",
    "http://api.example.com:8080",
    "https://8.8.8.8/v1",
    "https://[2606:4700::1111]/",
    "mqtt://broker.example.com",
    "imap.example.com",
    "0x.example.com",
    "http://10.0.0.5:8080/v1",
    "https://llm.internal/v1",
    "mqtt://10.0.0.9",
    "10.0.0.5",
]
CLOSED = [
    "http://10.0.0.5/v1",
    "http://10.0.0.5:8081",
    "https://10.0.0.5",
    "http://llm.internal/v1",
    "mqtts://10.0.0.9",
    "http://127.0.0.1:8080",
    "http://169.254.169.254/latest",
    "http://100.64.0.1/",
    "http://192.168.1.1/",
    "http://[::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://a.localhost/",
    "http://printer.local/",
    "http://metadata.google.internal/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://0/",
    "localhost",
    "10.0.0.6",
    "",
    "http:///path",
]


@pytest.mark.parametrize("address", OPEN)
def test_what_may_be_named(address: str) -> None:
    assert unreachable(ALLOWED, address) is None


@pytest.mark.parametrize("address", CLOSED)
def test_what_leads_inside(address: str) -> None:
    why = unreachable(ALLOWED, address)
    assert why is not None
    assert "allowed_hosts" in why


@pytest.mark.parametrize("address", ["http://host:port/", "http://host:99999/", "http://[::1/"])
def test_what_is_no_address(address: str) -> None:
    assert unreachable(ALLOWED, address) == "is not an address"


@pytest.mark.parametrize("address", ["http://localhost./", "http://127.0.0.1./", "http://printer.local./"])
def test_a_dot_at_the_end_of_a_name_changes_nothing(address: str) -> None:
    assert unreachable(ALLOWED, address) is not None
