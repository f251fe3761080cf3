"""The engine's own rules as iptables lists them."""

import pytest

from zcplatform.core import engine_rules

POLICIES = ["-P PREROUTING ACCEPT", "-P INPUT ACCEPT", "-P OUTPUT ACCEPT", "-P POSTROUTING ACCEPT"]
RULES = [
    *POLICIES,
    "-N DOCKER",
    "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
    "-A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER",
    "-A POSTROUTING -s 10.83.0.0/29 ! -o zcpa1b00001 -j MASQUERADE",
]


def test_rules_that_are_there_exist() -> None:
    assert engine_rules.exist(RULES)
    assert not engine_rules.leave_local_connections_to_a_proxy(RULES)


@pytest.mark.parametrize("missing", range(len(POLICIES), len(RULES) - 1))
def test_one_that_is_missing_is_noticed(missing: int) -> None:
    assert not engine_rules.exist([*RULES[:missing], *RULES[missing + 1 :]])


def test_a_flushed_table_has_none() -> None:
    assert not engine_rules.exist(POLICIES)
    assert not engine_rules.exist([])


def test_the_userland_proxy_shows() -> None:
    proxied = [line.replace("-A OUTPUT", "-A OUTPUT ! -d 127.0.0.0/8") for line in RULES]
    assert engine_rules.exist(proxied)
    assert engine_rules.leave_local_connections_to_a_proxy(proxied)
