"""The rules by value, and the comparison that decides whether they stand: iptables played by a small model of its listing."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.core.firewall import CLOSED_RANGES, DOCKER_USER, Rules, Table, removal, rewrite, rules, stands

POOL = IPv4Network("10.83.0.0/16")
RULES = rules("zcpa1b", ["1.1.1.1"], ["10.0.0.5:11434"], POOL)
EMPTY = ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT"]
DOCKER = [*EMPTY, "-N DOCKER", "-N DOCKER-USER", "-A FORWARD -j DOCKER-USER", "-A FORWARD -o br1 -j DOCKER", "-A DOCKER-USER -j RETURN"]
OTHER = rules("zcpfff", ["9.9.9.9"], [], POOL)


def restored(listing: list[str], text: str) -> list[str]:
    """What `iptables -S` shows after `iptables-restore --noflush`; raises where the real one would refuse the whole text."""
    chains: dict[str, list[str]] = {}
    for line in listing:
        kind, _, rest = line.partition(" ")
        name, _, rule = rest.partition(" ")
        if kind in ("-P", "-N"):
            chains[name] = []
        else:
            chains[name].append(rule)
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("*filter", "COMMIT")
    for line in lines[1:-1]:
        if line.startswith(":"):
            chains[line[1:].split()[0]] = []
            continue
        kind, name, *rest = line.split(" ", 2)
        match kind:
            case "-A":
                chains[name].append(rest[0])
            case "-D":
                chains[name].remove(rest[0])
            case "-I":
                place, rule = rest[0].split(" ", 1)
                chains[name].insert(int(place) - 1, rule)
            case "-X":
                assert not chains.pop(name)
                assert not any(rule.endswith(f"-j {name}") for found in chains.values() for rule in found)
            case _:
                raise AssertionError(line)
    assert all(rule.split("-j ")[1].split()[0] in {*chains, "ACCEPT", "DROP", "RETURN"} for found in chains.values() for rule in found)
    built_in = [line for line in listing if line.startswith("-P")]
    own = [f"-N {name}" for name in chains if f"-P {name} ACCEPT" not in built_in]
    return [*built_in, *own, *(f"-A {name} {rule}" for name, found in chains.items() for rule in found)]


def test_into_the_host() -> None:
    chain = RULES.v4.chains[0]
    assert chain.name == "ZCPA1B-IN"
    assert chain.rules == (
        "-m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "-d 1.1.1.1/32 -p udp -m udp --dport 53 -j ACCEPT",
        "-d 1.1.1.1/32 -p tcp -m tcp --dport 53 -j ACCEPT",
        "-d 10.0.0.5/32 -p tcp -m tcp --dport 11434 -j ACCEPT",
        "-j DROP",
    )


def test_through_the_host() -> None:
    chain = RULES.v4.chains[1]
    assert chain.rules[:3] == (
        "-m conntrack --ctstate ESTABLISHED -j RETURN",
        "! -s 10.83.0.0/16 -j DROP",
        "-o zcpa1b+ -j DROP",
    )
    assert chain.rules[3:6] == (
        "-d 1.1.1.1/32 -p udp -m udp --dport 53 -j RETURN",
        "-d 1.1.1.1/32 -p tcp -m tcp --dport 53 -j RETURN",
        "-d 10.0.0.5/32 -p tcp -m tcp --dport 11434 -j RETURN",
    )
    assert chain.rules[6:-1] == tuple(f"-d {closed} -j DROP" for closed in CLOSED_RANGES)
    assert chain.rules[-1] == "-p tcp -m multiport --dports 25,465,587 -j DROP"


def test_from_processes_of_this_host_only_root_and_the_edge_connect_to_agents() -> None:
    """C7. Established connections come first: the last packets of one have no owner any more. Neither have the kernel's own reports about one."""
    chain = rules("zcpa1b", ["1.1.1.1"], [], POOL, (998,)).v4.chains[3]
    assert chain.name == "ZCPA1B-OUT"
    assert chain.rules == (
        "-m conntrack --ctstate ESTABLISHED -j RETURN",
        "-m conntrack --ctstate RELATED -j RETURN",
        "-m owner --uid-owner 0 -j RETURN",
        "-m owner --uid-owner 998 -j RETURN",
        "-j DROP",
    )
    assert ("OUTPUT", "-d 10.83.0.0/16 -j ZCPA1B-OUT") in RULES.v4.jumps
    assert "-m owner --uid-owner 998 -j RETURN" not in RULES.v4.chains[3].rules


def test_what_is_not_the_open_internet_is_closed() -> None:
    closed = [IPv4Network(text) for text in CLOSED_RANGES]
    inside = [
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "127.0.0.1",
        "0.0.0.0",
        "224.0.0.251",
        "255.255.255.255",
    ]
    for address in [*inside, "198.19.0.1", "192.0.0.192", "240.0.0.1"]:
        assert any(IPv4Network(address).subnet_of(one) for one in closed), address
    for address in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.167.0.1", "11.0.0.1"]:
        assert not any(IPv4Network(address).subnet_of(one) for one in closed), address


def test_ipv6_is_closed_altogether() -> None:
    assert [(chain.name, chain.rules) for chain in RULES.v6.chains] == [("ZCPA1B-IN", ("-j DROP",)), ("ZCPA1B-FWD", ("-j DROP",))]
    assert [chain for chain, _ in RULES.v6.jumps] == ["INPUT", "FORWARD"]


def test_every_jump_is_bound_to_our_bridges_or_our_subnets() -> None:
    for table in (RULES.v4, RULES.v6):
        for chain, jump in table.jumps:
            assert jump.startswith(("-d 10.83.0.0/16 ",) if chain == "OUTPUT" else ("-i zcpa1b+ ", "-o zcpa1b+ "))


@pytest.mark.parametrize("prefix", ["zcp", "zcpa1", "zcpa1b+", "docker", "+", "zcpA1B", "zcpa1b\n"])
def test_a_prefix_that_would_match_others_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        rules(prefix, ["1.1.1.1"], [], POOL)


@pytest.mark.parametrize(
    "pair", ["10.0.0.5", "10.0.0.5:0", "10.0.0.5:65536", "10.0.0.5:80 -j ACCEPT", "host:80", ":80", "10.0.0.0/8:80", "10.0.0.5:٨٠"]
)
def test_a_pair_that_is_none_is_refused(pair: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        rules("zcpa1b", ["1.1.1.1"], [pair], POOL)


@pytest.mark.parametrize("start", [EMPTY, DOCKER], ids=["before the engine", "with the engine"])
@pytest.mark.parametrize("table", [RULES.v4, RULES.v6], ids=["v4", "v6"])
def test_it_stands_after_one_rewrite_and_leaves_nothing_after_removal(start: list[str], table: Table) -> None:
    assert not stands(table, start)
    after = restored(start, rewrite(table, start))
    assert stands(table, after)
    gone = removal(table, after)
    assert gone is not None
    left = restored(after, gone)
    assert {*start, f"-N {DOCKER_USER}", f"-A FORWARD -j {DOCKER_USER}"} >= set(left) >= set(start)
    assert removal(table, left) is None


def test_two_installations_do_not_disturb_each_other() -> None:
    both = restored(DOCKER, rewrite(RULES.v4, DOCKER))
    both = restored(both, rewrite(OTHER.v4, both))
    assert stands(RULES.v4, both)
    assert stands(OTHER.v4, both)
    gone = removal(OTHER.v4, both)
    assert gone is not None
    assert stands(RULES.v4, restored(both, gone))


def test_a_restarted_engine_may_put_its_isolation_first() -> None:
    standing = restored(DOCKER, rewrite(RULES.v4, DOCKER))
    at = standing.index(f"-A FORWARD -j {DOCKER_USER}")
    assert stands(RULES.v4, [*standing[:at], "-A FORWARD -j DOCKER-ISOLATION-STAGE-1", *standing[at:]])


def damaged(table: Rules, choice: int, kind: int) -> list[str]:
    """The listing with one of our lines missing, doubled, changed or overtaken."""
    standing = restored(DOCKER, rewrite(table.v4, DOCKER))
    ours = [at for at, line in enumerate(standing) if "ZCPA1B" in line or line == f"-A FORWARD -j {DOCKER_USER}"]
    at = ours[choice % len(ours)]
    line = standing[at]
    if line.startswith("-N "):
        name = line[3:]
        return [other for other in standing if other != line and not other.startswith(f"-A {name} ") and not other.endswith(f"-j {name}")]
    chain = line.split(" ")[1]
    first = next(place for place, other in enumerate(standing) if other.startswith(f"-A {chain} "))
    match kind % 3:
        case 0:
            return [*standing[:at], *standing[at + 1 :]]
        case 1:
            return [*standing[:first], f"-A {chain} -s 10.0.0.0/8 -j ACCEPT", *standing[first:]]
        case _:
            return [*standing[:at], line.rpartition(" ")[0] + " ACCEPT", *standing[at + 1 :]]


@given(st.integers(0, 200), st.integers(0, 2))
def test_every_damage_is_seen_and_one_rewrite_repairs_it(choice: int, kind: int) -> None:
    listing = damaged(RULES, choice, kind)
    if listing == restored(DOCKER, rewrite(RULES.v4, DOCKER)):
        return
    assert not stands(RULES.v4, listing)
    assert stands(RULES.v4, restored(listing, rewrite(RULES.v4, listing)))
