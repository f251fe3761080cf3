"""Loops: named periodic tasks whose rounds never overlap, with a status that users can read.

The period is the guarantee, and a wake-up only a hint: each round looks at all state again, so the first round, a retry, a restart and a missed
wake-up are the same code path. A round that raises is recorded and logged here and nowhere else; the next round is the retry.

Loops are created before they are started, so that other parts can get a reference to wake them: see `Loops`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from zcplatform import clock
from zcplatform.errors import PlatformError, Unavailable
from zcplatform.log import logger

Round = Callable[[], Awaitable[str | None]]
"""One round. What it returns is shown as its result; None means that there is nothing to report."""

LATE_AFTER_S = 60.0


@dataclass(frozen=True)
class LoopStatus:
    """The status of a loop. `is_late`: a round is overdue or takes too long. `error` belongs to the last round that ended."""

    name: str
    period_s: float
    is_running: bool
    is_late: bool
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    result: str
    error_code: str
    error: str
    failures: int
    """Failed rounds since the last successful one."""
    rounds: int

    @property
    def is_failing(self) -> bool:
        return self.error_code != ""


class Loop:
    """`run` is one round. `retry_s` returns the wait after a number of failed rounds in a row; by default it is the period.

    `longest_s` is how long a round may take before the loop counts as late; None for a round that runs until something else ends it.
    """

    def __init__(
        self,
        name: str,
        period_s: float,
        run: Round,
        *,
        retry_s: Callable[[int], float] | None = None,
        longest_s: float | None = LATE_AFTER_S,
        first_after_s: float = 0.0,
    ) -> None:
        self.name = name
        self.period_s = period_s
        self._run = run
        self._retry_s = retry_s or (lambda _: period_s)
        self._longest_s = longest_s
        self._first_after_s = first_after_s
        self._woken = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._due = time.monotonic() + first_after_s
        self._began: float | None = None
        self._status = LoopStatus(name, period_s, False, False, None, None, None, "", "", "", 0, 0)

    def wake(self) -> None:
        """Start a round now, or one more when the running one ends."""
        self._woken.set()

    @property
    def status(self) -> LoopStatus:
        running_s = None if self._began is None else time.monotonic() - self._began
        if running_s is None:
            return replace(self._status, is_late=time.monotonic() > self._due + LATE_AFTER_S)
        is_late = self._longest_s is not None and running_s > self._longest_s
        return replace(self._status, is_running=True, is_late=is_late, duration_s=running_s)

    async def forever(self) -> None:
        """Run rounds until cancelled."""
        wait_s = self._first_after_s
        while True:
            if wait_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), wait_s)
            self._woken.clear()
            wait_s = await self.once()
            self._due = time.monotonic() + wait_s

    async def once(self) -> float:
        """Run one round, after the running one. Returns how long to wait for the next; errors are in the status."""
        async with self._one_at_a_time:
            began, started_at, result, error = time.monotonic(), clock.now(), "", None
            self._began = began
            self._status = replace(self._status, started_at=started_at)
            try:
                result = await self._run() or ""
            except Exception as found:
                error = found
            except asyncio.CancelledError:
                # Cancellation of something that the round waited for, unless the loop itself is to end.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                error = Unavailable("loop.broken_off", "Something that this round waited for was cancelled", "It is tried again")
            finally:
                self._began = None
            return self._record(time.monotonic() - began, result, error)

    def _record(self, duration_s: float, result: str, error: Exception | None) -> float:
        last = self._status
        code, words = ("", "") if error is None else _described(error)
        self._status = replace(
            last,
            finished_at=clock.now(),
            duration_s=duration_s,
            result=result,
            error_code=code,
            error=words,
            failures=0 if error is None else last.failures + 1,
            rounds=last.rounds + 1,
        )
        if error is not None:
            self._log(error, is_news=(code, words) != (last.error_code, last.error))
            return self._retry_s(self._status.failures)
        if last.is_failing:
            logger.info("loop recovered", loop=self.name, failures=last.failures)
        return self.period_s

    def _log(self, error: Exception, *, is_news: bool) -> None:
        """Log an error. One that repeats is logged once: the status and the metrics show that it persists."""
        if not isinstance(error, PlatformError):
            logger.exception("loop round failed; the next round tries again", error, loop=self.name)
        elif is_news:
            logger.warning("loop round failed", loop=self.name, code=error.code, error=error.detail, hint=error.hint)
        else:
            logger.debug("loop round failed again", loop=self.name, code=error.code)


def _described(error: Exception) -> tuple[str, str]:
    """Return code and text of an error. An unexpected error's text may contain anything, so it is only logged, under the log's rules."""
    if isinstance(error, PlatformError):
        return error.code, error.detail
    return "internal.error", f"An error inside the platform ({type(error).__name__}); the worker's log has the details"


class Loops:
    """All loops of a process, in the order in which they start. Their names are unique."""

    def __init__(self, *loops: Loop) -> None:
        self._loops = {loop.name: loop for loop in loops}
        if len(self._loops) < len(loops):
            raise ValueError("two loops have the same name")

    def start(self) -> list[asyncio.Task[None]]:
        """Start all loops. Every part has its references to wake them by now."""
        return [asyncio.create_task(loop.forever(), name=f"loop {loop.name}") for loop in self._loops.values()]

    def statuses(self) -> list[LoopStatus]:
        return [loop.status for loop in self._loops.values()]
