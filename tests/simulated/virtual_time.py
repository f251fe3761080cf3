"""An event loop whose time is virtual: whenever nothing can go on, the clock jumps to the next thing that is due. An hour takes a millisecond.

Threads would need real time, so whatever is sent to one runs at once, in place. Nothing here waits for a socket.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from zcplatform import clock

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.elapsed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits for something that never happens")
        self.elapsed_s += max(timeout, 0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.elapsed_s

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


class VirtualTime:
    """Runs coroutines one after the other on one loop, with the platform's clock on its time."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.offset = timedelta()
        """How far the wall clock is from the truth; a test may set it."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.loop.time()) + self.offset

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        with clock.driven_by(self.now):
            return self.loop.run_until_complete(work)

    def cancel_everything(self) -> None:
        """Like a killed process: nothing that was under way continues."""
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(_ended(tasks))

    def close(self) -> None:
        self.cancel_everything()
        self.loop.close()


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
