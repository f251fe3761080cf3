"""Loops: rounds never overlap, errors end nothing, wake-ups are not lost, and the status says what happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from zcplatform.errors import Unavailable
from zcplatform.worker import loop as loops
from zcplatform.worker.loop import Loop, Loops

SECRET = "sk-" + "a1" * 10


@asynccontextmanager
async def started(loop: Loop) -> AsyncIterator[None]:
    (task,) = Loops(loop).start()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Work:
    """A round that the test lets end. `begun` counts rounds, `most` how many ran at once."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.most = 0
        self.begins = asyncio.Semaphore(0)
        self.ends = asyncio.Semaphore(0)

    async def __call__(self) -> str:
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        self.begins.release()
        try:
            await self.ends.acquire()
        finally:
            self.running -= 1
        return f"round {self.begun}"


async def test_the_first_round_runs_at_once_and_its_result_is_shown() -> None:
    work = Work()
    work.ends.release()
    loop = Loop("work", 3_600, work)
    assert (loop.status.rounds, loop.status.started_at, loop.status.is_late) == (0, None, False)
    async with started(loop):
        await work.begins.acquire()
        await asyncio.sleep(0)
        status = loop.status
    assert (status.name, status.period_s, status.rounds, status.result) == ("work", 3_600, 1, "round 1")
    assert status.started_at is not None
    assert status.finished_at is not None
    assert status.duration_s is not None
    assert not status.is_running
    assert not status.is_failing


async def test_a_loop_woken_while_running_runs_once_more_and_never_twice_at_once() -> None:
    work = Work()
    loop = Loop("work", 3_600, work)
    async with started(loop):
        await work.begins.acquire()
        for _ in range(5):
            loop.wake()
        assert loop.status.is_running
        work.ends.release()
        await work.begins.acquire()
        another = asyncio.create_task(loop.once())
        work.ends.release()
        await work.begins.acquire()
        work.ends.release()
        await another
        assert (work.begun, work.most) == (3, 1)


async def test_a_failed_round_is_in_the_status_and_the_next_one_comes() -> None:
    async def work() -> None:
        if loop.status.rounds < 2:
            raise Unavailable("engine.unreachable", "The engine does not answer", "start it")
        done.set()

    done, waits = asyncio.Event(), []

    def retry_s(failures: int) -> float:
        waits.append((failures, loop.status))
        return 0.001

    loop = Loop("work", 3_600, work, retry_s=retry_s)
    async with started(loop):
        await done.wait()
        await asyncio.sleep(0)
    assert [failures for failures, _ in waits] == [1, 2]
    assert [(status.error_code, status.error, status.is_failing) for _, status in waits] == [
        ("engine.unreachable", "The engine does not answer", True)
    ] * 2
    assert (loop.status.failures, loop.status.error_code, loop.status.rounds) == (0, "", 3)


async def test_an_unforeseen_error_ends_no_loop_and_its_text_stays_out_of_the_status() -> None:
    async def work() -> None:
        raise ValueError(SECRET)

    loop = Loop("work", 0.001, work)
    async with started(loop):
        while loop.status.rounds < 3:
            await asyncio.sleep(0.001)
    assert loop.status.error_code == "internal.error"
    assert "ValueError" in loop.status.error
    assert SECRET not in repr(loop.status)


async def test_a_cancellation_of_what_a_round_waits_for_ends_no_loop() -> None:
    async def work() -> None:
        inner = asyncio.create_task(asyncio.sleep(3_600))
        inner.cancel()
        await inner

    loop = Loop("work", 0.001, work)
    async with started(loop):
        while loop.status.rounds < 3:
            await asyncio.sleep(0.001)
    assert (loop.status.error_code, loop.status.is_running) == ("loop.broken_off", False)


async def test_an_error_that_repeats_is_logged_once_and_a_recovery_too(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        if loop.status.rounds < 3:
            raise Unavailable("engine.unreachable", "The engine does not answer")

    loop = Loop("work", 3_600, work)
    for _ in range(5):
        await loop.once()
    written = capsys.readouterr().err
    assert written.count('"loop round failed"') == 1
    assert written.count('"loop recovered"') == 1


async def test_a_loop_that_hangs_is_late_and_one_that_runs_until_something_ends_is_not() -> None:
    work, follow = Work(), Work()
    loop, follower = Loop("work", 5, work, longest_s=0), Loop("follow", 5, follow, longest_s=None)
    async with started(loop), started(follower):
        await work.begins.acquire()
        await follow.begins.acquire()
        assert (loop.status.is_running, loop.status.is_late) == (True, True)
        assert (follower.status.is_running, follower.status.is_late) == (True, False)
        work.ends.release()
        while loop.status.is_running:
            await asyncio.sleep(0)
        assert not loop.status.is_late


async def test_a_loop_that_nobody_runs_is_late() -> None:
    loop = Loop("work", 5, Work(), first_after_s=-loops.LATE_AFTER_S - 1)
    assert loop.status.is_late


async def test_the_first_round_can_wait_and_a_wake_up_ends_the_wait() -> None:
    work = Work()
    loop = Loop("work", 3_600, work, first_after_s=3_600)
    async with started(loop):
        await asyncio.sleep(0.01)
        assert work.begun == 0
        loop.wake()
        await work.begins.acquire()


async def test_a_cancelled_round_is_no_longer_running() -> None:
    work = Work()
    loop = Loop("work", 5, work)
    async with started(loop):
        await work.begins.acquire()
    assert (loop.status.is_running, work.running) == (False, 0)


def test_two_loops_with_one_name_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="same name"):
        Loops(Loop("work", 5, Work()), Loop("work", 5, Work()))
