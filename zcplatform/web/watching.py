"""End streams whose reader loses the permission. It is checked after every commit, so a silent stream ends too."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from zcplatform.errors import PlatformError
from zcplatform.ops import access
from zcplatform.ops.context import Call, Caller
from zcplatform.web.events import Watcher

T = TypeVar("T")


async def while_permitted(caller: Caller, watcher: Watcher, source: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """The items of `source`, until it ends, the platform stops, or the caller's rights change, which raises."""
    upcoming: asyncio.Task[T] | None = None
    async with aclosing(source):
        lost = asyncio.create_task(_lost(caller, watcher))
        try:
            while True:
                upcoming = asyncio.ensure_future(anext(source))
                await asyncio.wait({upcoming, lost}, return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    lost.result()
                    return
                try:
                    item = upcoming.result()
                except StopAsyncIteration:
                    return
                yield item
        finally:  # first, because the source cannot be closed while its next item is awaited
            await _end(lost)
            if upcoming is not None:
                await _end(upcoming)


async def _lost(caller: Caller, watcher: Watcher) -> None:
    while not watcher.stopped.is_set():
        version = watcher.version()
        caller.read(_confirm)
        await watcher.changed(version)


def _confirm(call: Call) -> None:
    access.confirm(call.tx, call.actor, call.at)


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, StopAsyncIteration, PlatformError):
        await task
