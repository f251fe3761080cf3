"""Where published ports lead: by the kernel's rules and the engine's own proxies, never by what somebody else publishes or runs."""

from pathlib import Path

import pytest

from zcplatform.adapters.nat import _proxies, of_listing

OWN = "-A DOCKER -d 127.0.0.1/32 ! -i zcpa1b0 -p tcp -m tcp --dport 20001 -j DNAT --to-destination 10.83.0.2:42617"
ARGUMENTS = ["-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", "20001", "-container-ip", "10.83.0.2", "-container-port", "42617"]


@pytest.mark.parametrize(
    ("other", "leads"),
    [
        ("-A DOCKER -d 192.168.1.5/32 ! -i br-x -p tcp -m tcp --dport 20001 -j DNAT --to-destination 172.17.0.2:80", "10.83.0.2:42617"),
        ("-A DOCKER ! -i br-x -p udp -m udp --dport 20001 -j DNAT --to-destination 172.17.0.2:53", "10.83.0.2:42617"),
        ("-A DOCKER ! -i br-x -p tcp -m tcp --dport 20001 -j DNAT --to-destination 172.17.0.2:80", "172.17.0.2:80"),
        (
            "-A DOCKER -d 127.0.0.1/32 ! -i zcpa1b1 -p tcp -m tcp --dport 20001 -j DNAT --to-destination 10.83.0.10:42617",
            "10.83.0.10:42617",
        ),
    ],
    ids=["another address", "another protocol", "every address", "a rule that was left"],
)
def test_the_first_rule_that_takes_the_packets_counts(other: str, leads: str) -> None:
    found = of_listing(["-N DOCKER", other, OWN], [])
    assert (found.has_chain, found.leads) == (True, {20001: leads})


def test_a_proxy_listens_before_any_rule() -> None:
    assert of_listing(["-N DOCKER", OWN], [(20001, "10.83.0.10:42617")]).leads == {20001: "10.83.0.10:42617"}


def _process(proc: Path, number: int, uids: str, arguments: list[str], name: str = "/usr/bin/docker-proxy") -> None:
    folder = proc / str(number)
    folder.mkdir()
    (folder / "cmdline").write_bytes(b"\0".join(part.encode("latin-1") for part in [name, *arguments]) + b"\0")
    (folder / "status").write_text(f"Name:\tdocker-proxy\nUid:\t{uids}\nGid:\t0\t0\t0\t0\n")


def test_only_roots_proxies_of_this_address_count(tmp_path: Path) -> None:
    """A4: an agent that is called like the engine's proxy would make every other tenant give up its port."""
    changed = {old: [new if part == old else part for part in ARGUMENTS] for old, new in (("tcp", "udp"), ("127.0.0.1", "192.168.1.5"))}
    _process(tmp_path, 1, "0\t0\t0\t0", [*ARGUMENTS, "-use-listen-fd"])
    _process(tmp_path, 2, "700001\t700001\t700001\t700001", ARGUMENTS)
    _process(tmp_path, 3, "1000\t0\t0\t0", ARGUMENTS)
    _process(tmp_path, 4, "0\t0\t0\t0", changed["tcp"])
    _process(tmp_path, 5, "0\t0\t0\t0", changed["127.0.0.1"])
    _process(tmp_path, 6, "0\t0\t0\t0", ["-host-port", "\xff"])
    _process(tmp_path, 7, "0\t0\t0\t0", ARGUMENTS, "/usr/bin/other")
    assert list(_proxies(tmp_path)) == [(20001, "10.83.0.2:42617")]
