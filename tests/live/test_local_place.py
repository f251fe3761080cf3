"""The local place keeps the promises of the protocol, on a real engine and a real kernel."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.engines.contract.promises import Bench, Made, PlacePromises, acme  # noqa: F401
from tests.live.edge_rig import free_port
from tests.live.engine import Engine
from tests.live.handmade import inside
from zcplatform.agent.runtime import PROGRAM
from zcplatform.core.firewall import rules
from zcplatform.core.network import subnet
from zcplatform.engines.docker import bodies
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.docker.place import LocalPlace
from zcplatform.engines.seen import Address
from zcplatform.errors import StepFailed
from zcplatform.ids import Names
from zcplatform.settings import Settings
from zcplatform.worker.firewall import FirewallLoop

pytestmark = pytest.mark.live
INSTANCE = "zcplace"


class LocalBench:
    def __init__(self, root: Path, docker: Docker, silent: Docker, image_id: str) -> None:
        settings = Settings(instance=INSTANCE, data_dir=root / "data", run_dir=root / "run", subnets="10.87.0.0/16")
        (root / "data").mkdir()
        (root / "run").mkdir()
        firewall = FirewallLoop(rules(Names(INSTANCE).bridge_prefix, settings.resolvers, (), settings.subnet_network), 1)
        self.settings = settings
        self.docker = docker
        self.image_id = image_id
        self.place = LocalPlace(settings, docker, firewall, PROGRAM)
        self.silent = LocalPlace(settings, silent, firewall, PROGRAM)

    def port(self) -> int:
        return free_port()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tmp_path.chmod(0o711)
    for parent in tmp_path.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    return tmp_path


@pytest.fixture
async def bench(root: Path, docker: Docker, test_image: str) -> AsyncIterator[Bench]:
    async with Docker(root / "no-such.sock", deadline_s=2) as silent:
        made = LocalBench(root, docker, silent, test_image)
        yield made
        await made.place.clear()


class TestLocalPlace(PlacePromises):
    pass


async def _exec(engine: Engine, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "docker", "-H", f"unix://{engine.socket}", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode().strip()


async def test_a_container_in_another_network_is_not_isolated(engine: Engine, acme: Made) -> None:  # noqa: F811
    """F2: connected by hand to a network that others are in, or taken off its own."""
    await acme.put()
    await acme.place.start(acme.tenant)
    name = f"{INSTANCE}-{acme.tenant.slug}"
    shared = await _exec(engine, "network", "create", "--subnet", "10.88.0.0/24", "zcplace-shared")
    try:
        await _exec(engine, "network", "connect", shared, name)
        look, closely = await acme.place.look(), await acme.look()
        assert closely.workload is not None
        assert look.of(acme.tenant).workload.is_isolated is closely.workload.is_isolated is False  # type: ignore[union-attr]
        await acme.place.remove(acme.tenant)
        await acme.put()
        assert (await acme.look()).workload.is_isolated  # type: ignore[union-attr]
    finally:
        await acme.place.remove(acme.tenant)
        await _exec(engine, "network", "rm", shared)
    await acme.put()
    await acme.place.start(acme.tenant)
    await _exec(engine, "network", "disconnect", name, name)
    assert not (await acme.look()).workload.is_isolated  # type: ignore[union-attr]


async def test_names_are_not_searched_in_the_machine_s_domains(engine: Engine, acme: Made) -> None:  # noqa: F811
    """F8"""
    await acme.put()
    await acme.place.start(acme.tenant)
    code, text = await inside(engine.socket, f"{INSTANCE}-{acme.tenant.slug}", "cat /etc/resolv.conf")
    assert code == 0
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert [words for words in lines if words[0] == "search" and words[1:] not in ([], ["."])] == []
    assert [words[1:] for words in lines if words[0] == "options"] in ([], [["ndots:0"]])


async def test_a_port_that_the_kernel_leads_elsewhere_is_known(engine: Engine, acme: Made) -> None:  # noqa: F811
    """A4, H1: what an engine that was killed leaves behind, and nothing that an agent says, makes a port dead."""
    await acme.put()
    await acme.place.start(acme.tenant)
    assert await acme.place.port_leads(acme.workload) is True
    port = str(acme.workload.port)
    rule = ["DOCKER", "-p", "tcp", "--dport", port, "-j", "DNAT", "--to-destination", "10.87.99.99:42617"]
    for verb in ("-I", "-D"):
        process = await asyncio.create_subprocess_exec("iptables", "-w", "10", "-t", "nat", verb, *rule)
        assert await process.wait() == 0
        assert await acme.place.port_leads(acme.workload) is (verb == "-D")


async def test_a_port_in_use_is_named(acme: Made) -> None:  # noqa: F811
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", acme.workload.port)
    async with server:
        assert not await acme.place.free_port(acme.workload.port)
        await acme.put()
        with pytest.raises(StepFailed) as failed:
            await acme.place.start(acme.tenant)
    assert failed.value.code == "container.port_taken"


async def test_limits_changed_by_hand_are_seen_and_restored_while_it_runs(engine: Engine, acme: Made) -> None:  # noqa: F811
    await acme.put()
    await acme.place.start(acme.tenant)
    await _exec(engine, "update", "--pids-limit", "50", f"{INSTANCE}-{acme.tenant.slug}")
    before = await acme.look()
    assert acme.place.compare(acme.workload, before).limits == {"PidsLimit": (50, 64)}
    assert await acme.place.set_limits(acme.workload) == {"PidsLimit": (50, 64)}
    after = await acme.look()
    assert after.workload is not None
    assert before.workload is not None
    assert (after.workload.ref, acme.place.compare(acme.workload, after).limits) == (before.workload.ref, {})


async def test_the_agent_is_reached_through_its_port_and_in_its_network(acme: Made) -> None:  # noqa: F811
    await acme.put()
    await acme.place.start(acme.tenant)
    workload = (await acme.look()).workload
    assert workload is not None
    own = str(subnet(acme.workload.subnet, IPv4Network("10.87.0.0/16"))[2])
    assert (workload.direct, acme.place.listener(workload)) == (Address(own, 42617), own)


async def test_a_container_of_the_release_before_is_adopted(bench: LocalBench, acme: Made) -> None:  # noqa: F811
    """The upgrade restarts nothing: its mark is a hash of the whole body."""
    place = acme.place
    assert isinstance(place, LocalPlace)
    await acme.put()
    await place.remove(acme.tenant)
    body = place._body(acme.workload)
    first = json.loads(json.dumps(body))
    for later in ("DnsSearch", "DnsOptions"):
        del first["HostConfig"][later]
    del first["Labels"]["io.zcplatform.paths"]
    first["Labels"]["io.zcplatform.spec"] = bodies.first_hash(Names(INSTANCE), acme.workload, place._side(acme.workload))
    await bench.docker.create(f"{INSTANCE}-{acme.tenant.slug}", first)
    before = await acme.look()
    assert not place.compare(acme.workload, before).is_other
    await place.put(acme.workload)
    assert await acme.look() == before
    assert place.compare(replace(acme.workload, pids=65), before).is_other
