import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.caddies import (
    AmnesiacCaddy,
    BabblingCaddy,
    ConflictingCaddy,
    DeafCaddy,
    FakeCaddy,
    HangingCaddy,
    RejectingCaddy,
    RudeCaddy,
)
from zcplatform.adapters.caddy import Caddy, EdgeConflict, EdgeRejected, EdgeUnreachable
from zcplatform.worker.edge import EdgeLoop

DEADLINE_S = 10


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Database:
    """What is wanted."""

    def __init__(self) -> None:
        self.revision = 0
        self.reads = 0
        self.saved: list[dict[str, Any]] = []

    def wanted(self) -> dict[str, Any]:
        self.reads += 1
        return {"revision": self.revision}

    def change(self) -> dict[str, Any]:
        self.revision += 1
        return {"revision": self.revision}

    def save(self, document: dict[str, Any]) -> None:
        self.saved.append(document)


def loop_for(caddy: FakeCaddy, database: Database, settle_s: float = 0.0, timeout_s: float = DEADLINE_S) -> EdgeLoop:
    return EdgeLoop(Caddy(caddy.socket, 80, tls=False, timeout_s=timeout_s), database.wanted, database.save, settle_s, period_s=0.01)


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not fact():
            await asyncio.sleep(0)


async def test_a_change_is_set_once_and_saved(tmp_path: Path) -> None:
    async with FakeCaddy(tmp_path / "s") as caddy:
        database = Database()
        loop = loop_for(caddy, database)
        await loop.apply()
        await loop.apply()
        assert caddy.accepted == database.saved == [{"revision": 0}]
        assert loop.status.sets == 1
        assert loop.status.last_error is None
        assert loop.status.last_ok_at is not None


async def test_callers_of_the_same_moment_share_a_round(tmp_path: Path) -> None:
    async with FakeCaddy(tmp_path / "s") as caddy:
        database = Database()
        loop = loop_for(caddy, database)
        await asyncio.gather(*(loop.apply() for _ in range(20)))
        assert (caddy.reads, database.reads, len(caddy.accepted)) == (1, 1, 1)


async def test_a_caller_during_a_set_gets_a_document_computed_after_its_call(tmp_path: Path) -> None:
    async with HangingCaddy(tmp_path / "s") as caddy:
        assert isinstance(caddy, HangingCaddy)
        database = Database()
        loop = loop_for(caddy, database)
        first = asyncio.create_task(loop.apply())
        await asyncio.wait_for(caddy.asked.wait(), DEADLINE_S)
        wanted = database.change()
        second = asyncio.create_task(loop.apply())
        third = asyncio.create_task(loop.apply())
        caddy.released.set()
        await asyncio.gather(first, second, third)
        assert caddy.accepted == [{"revision": 0}, wanted]


async def test_changes_soon_after_a_set_are_joined(tmp_path: Path) -> None:
    async with FakeCaddy(tmp_path / "s") as caddy:
        database = Database()
        loop = loop_for(caddy, database, settle_s=0.2)
        clock = asyncio.get_running_loop().time
        began = clock()
        await loop.apply()
        assert clock() - began < 0.2
        calls = []
        for _ in range(10):
            database.change()
            calls.append(asyncio.create_task(loop.apply()))
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
        assert clock() - began >= 0.2
        assert caddy.accepted == [{"revision": 0}, {"revision": 10}]


async def test_a_caller_that_goes_away_does_not_stop_the_round(tmp_path: Path) -> None:
    async with HangingCaddy(tmp_path / "s") as caddy:
        assert isinstance(caddy, HangingCaddy)
        loop = loop_for(caddy, Database())
        caller = asyncio.create_task(loop.apply())
        await asyncio.wait_for(caddy.asked.wait(), DEADLINE_S)
        caller.cancel()
        caddy.released.set()
        await until(lambda: loop.status.sets == 1)
        assert caddy.accepted == [{"revision": 0}]


async def test_a_conflict_is_compared_again(tmp_path: Path) -> None:
    async with ConflictingCaddy(tmp_path / "s", times=2) as caddy:
        loop = loop_for(caddy, Database())
        await loop.apply()
        assert caddy.document == {"revision": 0}
        assert caddy.reads == 3


async def test_endless_conflicts_end_the_round(tmp_path: Path) -> None:
    async with ConflictingCaddy(tmp_path / "s", times=1_000) as caddy:
        database = Database()
        loop = loop_for(caddy, database)
        with pytest.raises(EdgeConflict):
            await loop.apply()
        assert caddy.reads < 10
        assert isinstance(loop.status.last_error, EdgeConflict)
        assert database.saved == []


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_connection_closed_in_the_middle_is_looked_at_again(tmp_path: Path, times: int) -> None:
    async with RudeCaddy(tmp_path / "s", times) as caddy:
        database = Database()
        await loop_for(caddy, database).apply()
        assert caddy.document == {"revision": 0}
        assert database.saved == [{"revision": 0}]
        assert len(caddy.accepted) == 1


async def test_a_caddy_that_always_hangs_up_is_unreachable(tmp_path: Path) -> None:
    async with DeafCaddy(tmp_path / "s") as caddy:
        with pytest.raises(EdgeUnreachable):
            await loop_for(caddy, Database()).apply()
        assert caddy.reads <= 10


async def test_a_refused_document_is_told_in_bounded_words_and_not_saved(tmp_path: Path) -> None:
    async with RejectingCaddy(tmp_path / "s") as caddy:
        database = Database()
        loop = loop_for(caddy, database)
        with pytest.raises(EdgeRejected, match="loading new config") as refused:
            await loop.apply()
        assert len(refused.value.detail) < 600
        assert refused.value.code == "edge.rejected"
        assert (loop.status.sets, database.saved) == (0, [])


async def test_what_is_no_document_is_told(tmp_path: Path) -> None:
    async with BabblingCaddy(tmp_path / "s") as caddy:
        with pytest.raises(EdgeRejected, match="not JSON"):
            await loop_for(caddy, Database()).apply()


async def test_a_caddy_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with HangingCaddy(tmp_path / "s") as caddy:
        assert isinstance(caddy, HangingCaddy)
        loop = loop_for(caddy, Database(), timeout_s=0.1)
        with pytest.raises(EdgeUnreachable, match="in time"):
            await loop.apply()
        caddy.released.set()
        await loop.apply()
        assert caddy.document == {"revision": 0}


async def test_no_caddy_is_unreachable_for_everyone_who_asked(tmp_path: Path) -> None:
    loop = loop_for(FakeCaddy(tmp_path / "nobody"), Database())
    answers = await asyncio.gather(*(loop.apply() for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [EdgeUnreachable] * 3


async def test_what_caddy_forgets_is_set_again_by_the_period(tmp_path: Path) -> None:
    async with AmnesiacCaddy(tmp_path / "s") as caddy:
        loop = loop_for(caddy, Database())
        running = asyncio.create_task(loop.loop.forever())
        await until(lambda: len(caddy.accepted) >= 3)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_loop_outlives_errors_and_its_next_round_is_the_retry(tmp_path: Path) -> None:
    caddy = FakeCaddy(tmp_path / "s")
    loop = loop_for(caddy, Database())
    running = asyncio.create_task(loop.loop.forever())
    await until(lambda: loop.status.last_error is not None)
    async with caddy:
        await until(lambda: caddy.document == {"revision": 0} and loop.status.last_error is None)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_waking_brings_the_next_round_now(tmp_path: Path) -> None:
    async with FakeCaddy(tmp_path / "s") as caddy:
        database = Database()
        loop = EdgeLoop(Caddy(caddy.socket, 80, tls=False), database.wanted, database.save, 0, period_s=3_600)
        running = asyncio.create_task(loop.loop.forever())
        await until(lambda: loop.status.sets == 1)
        wanted = database.change()
        loop.wake()
        await until(lambda: caddy.document == wanted)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_document_that_can_not_be_saved_stands_all_the_same(tmp_path: Path) -> None:
    async with FakeCaddy(tmp_path / "s") as caddy:
        database = Database()
        full = True

        def save(document: dict[str, Any]) -> None:
            if full:
                raise OSError("no space left")
            database.save(document)

        loop = EdgeLoop(Caddy(caddy.socket, 80, tls=False), database.wanted, save, 0)
        await loop.apply()
        assert caddy.document == {"revision": 0}
        assert "no space" in str(loop.status.last_error)
        full = False
        await loop.apply()
        assert database.saved == [{"revision": 0}]
        assert loop.status.last_error is None


async def test_a_database_that_can_not_be_read_changes_nothing(tmp_path: Path) -> None:
    async with FakeCaddy(tmp_path / "s") as caddy:

        def broken() -> dict[str, Any]:
            raise ValueError("two routes share a port")

        loop = EdgeLoop(Caddy(caddy.socket, 80, tls=False), broken, lambda _: None, 0)
        with pytest.raises(ValueError, match="share a port"):
            await loop.apply()
        assert caddy.accepted == []
        assert isinstance(loop.status.last_error, ValueError)
