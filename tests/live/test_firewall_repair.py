"""The firewall against what other programs do to it, each in a network namespace of its own: back ends, engines, strangers, flushes."""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.engine import Engine
from tests.live.handmade import NAMES, POOL, RESOLVERS
from tests.live.neighbour import run
from tests.live.test_firewall import DAMAGES, OURS
from zcplatform.adapters import firewall
from zcplatform.core.firewall import Rules, rules
from zcplatform.core.workload import TenantRef
from zcplatform.engines.docker.bodies import network_body
from zcplatform.engines.docker.client import Docker
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.ids import new_tenant_id
from zcplatform.worker.firewall import FirewallLoop

pytestmark = pytest.mark.live

_NEW_NETWORK = 0x40000000


def test_rules_of_others_are_left_alone() -> None:
    async def check() -> None:
        run("iptables", "-N", "SOMEBODY")
        run("iptables", "-I", "INPUT", "1", "-p", "tcp", "--dport", "7", "-j", "SOMEBODY")
        theirs = [line for line in _listing() if "SOMEBODY" in line]
        await firewall.apply(OURS)
        await firewall.apply(OURS)
        assert [line for line in _listing() if "SOMEBODY" in line] == theirs
        await firewall.remove(OURS)
        await firewall.remove(OURS)
        assert [line for line in _listing() if "ZCP" in line] == []
        assert [line for line in _listing() if "SOMEBODY" in line] == theirs

    _in_a_new_network(check)


def test_two_installations_stand_side_by_side() -> None:
    other: Rules = rules("zcpfff", RESOLVERS, [], POOL)

    async def check() -> None:
        await firewall.apply(OURS)
        await firewall.apply(other)
        assert await firewall.standing(OURS)
        assert await firewall.standing(other)
        await firewall.remove(other)
        assert await firewall.standing(OURS)

    _in_a_new_network(check)


def test_the_engine_adopts_what_stood_before_its_first_start() -> None:
    """Also after a restart, and when networks come and go."""

    async def check() -> None:
        early = Engine()
        try:
            await firewall.apply(OURS)
            early.start()
            assert await firewall.standing(OURS)
            async with Docker(early.socket) as docker:
                made = await docker.create_network(network_body(NAMES, TenantRef(new_tenant_id(), "early"), 77, POOL))
                assert await firewall.standing(OURS)
                early.stop()
                early.start()
                assert await firewall.standing(OURS)
                await docker.remove_network(made)
                assert await firewall.standing(OURS)
        finally:
            early.close()

    _in_a_new_network(check)


def test_rules_that_the_engine_lost_are_reported_until_it_restarts() -> None:
    """F3: after `nft flush ruleset` ours return, the engine's do not. F4: a host that does not forward is named."""

    async def check() -> None:
        engine = Engine("--live-restore", "--userland-proxy=false")
        try:
            engine.start()
            async with Docker(engine.socket) as docker:
                made = await docker.create_network(network_body(NAMES, TenantRef(new_tenant_id(), "flushed"), 78, POOL))
                loop = FirewallLoop(OURS, 10, lambda: True)
                await loop.ensure()
                for damage in (["-t nat -F", "-t nat -X", "-F", "-X"], ["-t nat -F OUTPUT"]):
                    for words in damage:
                        run("iptables", *words.split())
                    with pytest.raises(StepFailed, match="own firewall rules are gone") as failed:
                        await loop.ensure()
                    assert (failed.value.code, loop.engine_rules_gone, loop.stands) == ("engine.rules_gone", True, False)
                    assert await firewall.standing(OURS)
                    engine.stop()
                    engine.start()
                    await loop.ensure()
                    assert (loop.engine_rules_gone, loop.stands) == (False, True)
                Path("/proc/sys/net/ipv4/ip_forward").write_text("0")
                await loop.loop.once()
                assert loop.loop.status.error_code == "host.no_forwarding"
                Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
                await loop.loop.once()
                assert loop.loop.status.error_code == ""
                await docker.remove_network(made)
        finally:
            engine.close()

    _in_a_new_network(check)


def test_both_back_ends_of_iptables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        await firewall.apply(OURS)
        assert await firewall.standing(OURS)
        run("iptables", "-F")
        assert not await firewall.standing(OURS)
        await firewall.apply(OURS)
        assert await firewall.standing(OURS)
        await firewall.remove(OURS)
        assert not await firewall.standing(OURS)

    for _ in _back_ends(tmp_path, monkeypatch):
        _in_a_new_network(check)


def test_where_changes_have_a_number_the_rules_are_listed_when_it_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the older back end, which numbers nothing, each time."""

    async def check() -> None:
        loop = FirewallLoop(OURS, 10)
        await loop.ensure()
        await loop.ensure()  # the first one changed the rules itself
        programs = os.environ["PATH"]
        monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
        is_listed.append(await _fails(loop))
        monkeypatch.setenv("PATH", programs)
        await loop.ensure()
        for damage in DAMAGES:
            run(*damage)
            await loop.ensure()
            assert await firewall.standing(OURS), damage

    is_listed: list[bool] = []
    for _ in _back_ends(tmp_path, monkeypatch):
        _in_a_new_network(check)
    assert is_listed == [False, True]


async def _fails(loop: FirewallLoop) -> bool:
    try:
        await loop.ensure()
    except PlatformError:
        return True
    return False


def _back_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each of the two, first of all on the path while it is its turn."""
    path = os.environ["PATH"]
    for kind in ("nft", "legacy"):
        (folder / kind).mkdir()
        for name in ("iptables", "ip6tables"):
            (folder / kind / name).symlink_to(f"/usr/sbin/{name}-{kind}")
            (folder / kind / f"{name}-restore").symlink_to(f"/usr/sbin/{name}-{kind}-restore")
        monkeypatch.setenv("PATH", f"{folder / kind}:{path}")
        yield kind


def _in_a_new_network(check: Callable[[], Coroutine[None, None, None]]) -> None:
    """What flushes a whole table does it in a network namespace of one thread, which the programs that it starts inherit."""

    def work() -> None:
        assert ctypes.CDLL(None, use_errno=True).unshare(_NEW_NETWORK) == 0
        run("ip", "link", "set", "lo", "up")
        asyncio.run(check())

    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def _listing() -> list[str]:
    return subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout.splitlines()
