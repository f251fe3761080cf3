"""The firewall seen from inside a container and from the wire. Each refusal is shown to be the rules' doing: without them it is reached."""

import shlex
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.live.engine import Engine
from tests.live.handmade import NAMES, POOL, RESOLVERS, Handmade, answers, inside, raw, tenant
from tests.live.neighbour import neighbour_on_the_wire, run
from zcplatform.adapters import firewall
from zcplatform.core.firewall import rules
from zcplatform.engines.docker.client import Docker

pytestmark = pytest.mark.live

ALLOWED, BESIDE = "198.51.100.10", "198.51.100.11"
PRIVATE, METADATA, PUBLIC = "10.99.0.1", "169.254.169.254", "8.8.4.4"
PORT = 8099
EDGE_UID, SOMEBODY_UID = 700_900, 65_534
OURS = rules(NAMES.bridge_prefix, RESOLVERS, [f"{ALLOWED}:{PORT}"], POOL, (EDGE_UID,))


@pytest.fixture(scope="module")
def host() -> Iterator[None]:
    """This host with more addresses, and a service on all of them."""
    for address in (ALLOWED, BESIDE):
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    run("ip", "link", "add", "inside0", "type", "bridge")
    run("ip", "link", "set", "inside0", "up")
    for address in (PRIVATE, METADATA, PUBLIC):
        run("ip", "address", "add", f"{address}/32", "dev", "inside0")
    server = ThreadingHTTPServer(("0.0.0.0", PORT), _Ok)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()
    run("ip", "link", "del", "inside0")
    for address in (ALLOWED, BESIDE):
        run("ip", "address", "del", f"{address}/32", "dev", "lo")


@pytest.fixture
async def two(host: None, docker: Docker, test_image: str, tmp_path: Path) -> AsyncIterator[tuple[Handmade, Handmade]]:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(firewall.remove, OURS)
        await firewall.apply(OURS)
        first = await stack.enter_async_context(tenant(docker, tmp_path, test_image, "first", 1))
        second = await stack.enter_async_context(tenant(docker, tmp_path, test_image, "second", 2))
        yield first, second


async def test_a_container_reaches_nothing_of_ours(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    first, second = two
    local = [(first.gateway, PORT), (second.gateway, PORT), (PRIVATE, PORT), (METADATA, PORT), (PUBLIC, PORT), (BESIDE, PORT)]
    closed = [*local, (second.address, 42617), (ALLOWED, first.spec.port)]
    assert await _reached(engine, first, closed) == set()
    await firewall.remove(OURS)
    assert await _reached(engine, first, local) == set(local), "the services were there all the time"


async def test_a_container_reaches_the_host_that_is_allowed(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    assert await _reached(engine, two[0], [(ALLOWED, PORT)]) == {(ALLOWED, PORT)}


async def test_a_container_reaches_itself_and_is_reached_from_the_host(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    first, second = two
    assert await _reached(engine, first, [("127.0.0.1", 42617)]) == {("127.0.0.1", 42617)}
    assert answers("127.0.0.1", first.spec.port)
    assert answers("127.0.0.1", second.spec.port)
    assert answers(first.address, 42617)


async def test_out_of_the_host_only_the_open_internet_and_the_resolver(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    first, _ = two
    with neighbour_on_the_wire() as neighbour:
        neighbour.serves(("1.2.3.4", 80), ("1.2.3.4", 25), ("10.98.0.2", 80), ("172.20.0.9", 80), ("100.64.0.9", 80), (RESOLVERS[0], 53))
        asked = [("1.2.3.4", 80), ("1.2.3.4", 25), ("10.98.0.2", 80), ("172.20.0.9", 80), ("100.64.0.9", 80), (RESOLVERS[0], 53)]
        assert await _reached(engine, first, asked) == {("1.2.3.4", 80), (RESOLVERS[0], 53)}
        await firewall.remove(OURS)
        assert await _reached(engine, first, asked) == set(asked), "the services were there all the time"


async def test_a_neighbour_on_the_wire_does_not_reach_a_container(two: tuple[Handmade, Handmade]) -> None:
    first, _ = two
    with neighbour_on_the_wire() as neighbour:
        assert not neighbour.reaches(first.address, 42617)
        assert not neighbour.reaches("10.98.0.1", first.spec.port)
        await firewall.remove(OURS)
        if neighbour.reaches(first.address, 42617):
            await firewall.apply(OURS)
            assert not neighbour.reaches(first.address, 42617)


async def test_of_this_hosts_users_only_root_and_the_edge_reach_an_agent(two: tuple[Handmade, Handmade]) -> None:
    """C7: neither by the published port nor by the container's address, on no port of it."""
    first, _ = two
    places = [("127.0.0.1", first.spec.port), (first.address, 42617)]
    assert [_reaches_as(uid, place) for uid in (0, EDGE_UID) for place in places] == [True] * 4
    assert [_reaches_as(SOMEBODY_UID, place) for place in places] == [False] * 2
    run("iptables", "-D", "OUTPUT", "-d", str(POOL), "-j", OURS.v4.chains[3].name)
    assert [_reaches_as(SOMEBODY_UID, place) for place in places] == [True] * 2, "it was the rule"


async def test_a_container_learns_that_a_link_takes_smaller_packets_only(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    """The kernel of this host says so, and no process: without it, larger requests behind a VPN or in some clouds wait forever."""
    run("ip", "link", "add", "narrow0", "mtu", "1280", "type", "veth", "peer", "name", "narrow1")
    try:
        run("ip", "address", "add", "9.9.9.1/24", "dev", "narrow0")
        run("ip", "link", "set", "narrow0", "up")
        pid = (await raw(engine.socket, two[0].name))["State"]["Pid"]
        command = ["nsenter", "--target", str(pid), "--net", sys.executable, "-c", _LARGE_PACKETS]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "1280"
    finally:
        run("ip", "link", "del", "narrow0")


async def test_ipv6_is_closed(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    code, _ = await inside(engine.socket, two[0].name, "cat /proc/net/if_inet6 | grep -v ' lo$' | grep .")
    assert code != 0, "the container has no address of it"


DAMAGES = [
    ("iptables", "-F"),
    ("iptables", "-F", "DOCKER-USER"),
    ("iptables", "-I", "INPUT", "1", "-j", "ACCEPT"),
    ("iptables", "-I", "DOCKER-USER", "1", "-j", "RETURN"),
    ("iptables", "-D", "FORWARD", "-j", "DOCKER-USER"),
    ("iptables", "-F", OURS.v4.chains[0].name),
    ("iptables", "-D", OURS.v4.chains[1].name, "3"),
    ("iptables", "-I", OURS.v4.chains[1].name, "-d", "10.0.0.0/8", "-j", "RETURN"),
    ("iptables", "-D", "OUTPUT", "1"),
    ("iptables", "-I", "OUTPUT", "1", "-j", "ACCEPT"),
    ("iptables", "-D", OURS.v4.chains[3].name, "5"),
    ("ip6tables", "-F"),
]


async def test_what_somebody_changes_is_seen_and_repaired(engine: Engine, two: tuple[Handmade, Handmade]) -> None:
    first, second = two
    for damage in DAMAGES:
        assert await firewall.standing(OURS)
        run(*damage)
        assert not await firewall.standing(OURS), damage
        await firewall.apply(OURS)
        assert await firewall.standing(OURS), damage
        assert await _reached(engine, first, [(first.gateway, PORT), (second.address, 42617)]) == set(), damage
    run("iptables", "-D", "INPUT", "-j", "ACCEPT")
    run("iptables", "-D", "OUTPUT", "-j", "ACCEPT")


_LARGE_PACKETS = """
import select, socket
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
one.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
one.connect(("9.9.9.9", 443))
one.send(bytes(1400))
waits = select.poll()
waits.register(one, select.POLLERR)
waits.poll(2000)
print(one.getsockopt(socket.IPPROTO_IP, 14))  # IP_MTU
"""


class _Ok(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"reached")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


async def _reached(engine: Engine, source: Handmade, places: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """Which of the places a container gets an answer from; all are tried at once."""
    ask = "printf 'GET /ostype HTTP/1.0\\r\\n\\r\\n' | nc -w 1 $0 $1 | grep -q ^HTTP && echo $0:$1"
    script = "".join(f'sh -c "$ask" {address} {port} & ' for address, port in places)
    script = f"ask={shlex.quote(ask)}; {script} wait"
    _, output = await inside(engine.socket, source.name, script)
    found = [line.strip().split(":") for line in output.splitlines() if line.count(":") == 1 and line[0].isdigit()]
    return {(address, int(port)) for address, port in found}


def _reaches_as(uid: int, place: tuple[str, int]) -> bool:
    command = ["curl", "-sf", "--max-time", "1", f"http://{place[0]}:{place[1]}/health"]
    return subprocess.run(command, user=uid, group=uid, extra_groups=[], capture_output=True, check=False).returncode == 0
