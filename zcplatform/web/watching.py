"""A stream goes on only while who listens may: rights are looked at again after every commit, and a silent stream ends too."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from zcplatform import clock
from zcplatform.errors import PlatformError
from zcplatform.ops import access
from zcplatform.ops.actor import Actor
from zcplatform.store.db import Database
from zcplatform.web.events import Watcher

T = TypeVar("T")


async def while_permitted(database: Database, watcher: Watcher, actor: Actor, source: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """What `source` gives, until it ends, the platform stops, or the actor's rights change; raises what was lost then."""
    upcoming: asyncio.Task[T] | None = None
    async with aclosing(source):
        lost = asyncio.create_task(_lost(database, watcher, actor))
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
        finally:  # before the source is closed: it can not be while somebody waits for its next item
            await _end(lost)
            if upcoming is not None:
                await _end(upcoming)


async def _lost(database: Database, watcher: Watcher, actor: Actor) -> None:
    while not watcher.stopped.is_set():
        version = database.data_version()
        database.read(lambda tx: access.again(tx, actor, clock.text(clock.now())))
        await watcher.changed(version)


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError, StopAsyncIteration, PlatformError):
        await task
