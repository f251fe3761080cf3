"""/api/events: events as a stream of server-sent events that a client can resume.

While a stream is open, one watcher polls SQLite's data version (no query) for commits of other processes, and wakes all streams.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from zcplatform.core.roles import Permission
from zcplatform.errors import PlatformError
from zcplatform.ops import events
from zcplatform.ops.context import Context
from zcplatform.ops.events import Event
from zcplatform.web.caller import Caller, reads
from zcplatform.web.streams import OpeningOf, StreamKind

router = APIRouter(prefix="/api/events", tags=["events"])
LOOK_EVERY_S = 0.1
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
KEEP_ALIVE_S = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Watcher:
    """Wakes listeners after each commit of another process; costs nothing while nobody listens. Ends every stream when stopped."""

    def __init__(self, context: Context) -> None:
        self.stopped = asyncio.Event()
        self._database = context.database
        self._changed = asyncio.Condition()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None

    def version(self) -> int:
        """A number that changes with every commit of another process."""
        return self._database.data_version()

    async def changed(self, version: int) -> None:
        """Return when something was committed since `version`, after KEEP_ALIVE_S at the latest, or at once when stopped."""
        if self.version() != version or self.stopped.is_set():
            return
        self._listeners += 1
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        try:
            async with self._changed:
                await asyncio.wait_for(self._changed.wait(), KEEP_ALIVE_S)
        except TimeoutError:
            pass
        finally:
            self._listeners -= 1

    async def stop(self) -> None:
        self.stopped.set()
        async with self._changed:
            self._changed.notify_all()

    async def _look(self) -> None:
        version = self.version()
        while self._listeners and not self.stopped.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            now = self.version()
            if now != version:
                version = now
                async with self._changed:
                    self._changed.notify_all()
                await asyncio.sleep(0)
        self._task = None


@router.get("", operation_id="streamEvents", summary="Follow events", response_class=StreamingResponse)
async def stream(
    request: Request,
    caller: Annotated[Caller, reads(Permission.EVENTS_READ)],
    opening: OpeningOf,
    tenant: Annotated[str | None, Query(max_length=64, description="Id or slug: only this tenant's events")] = None,
    last_event_id: Annotated[str | None, Header(description="Continue after this event")] = None,
) -> StreamingResponse:
    """Server-sent events of the tenants that you may see, from now on or from after Last-Event-ID. Ends when your permissions change."""
    if tenant:
        caller = events.narrowed(caller, tenant)
    opening.count(StreamKind.EVENTS, caller.actor)
    start = int(last_event_id) if last_event_id and _NUMBER.fullmatch(last_event_id) else caller.read(events.newest_id)
    watcher: Watcher = request.app.state.watcher
    return StreamingResponse(_stream(caller, watcher, start), media_type="text/event-stream", headers=HEADERS)


async def _stream(caller: Caller, watcher: Watcher, last_id: int) -> AsyncIterator[str]:
    yield ": connected\n\n"
    while not watcher.stopped.is_set():
        version = watcher.version()  # before the read, so that a commit in between is noticed
        try:
            found, last_id = caller.read(lambda call: events.after(call, last_id))  # noqa: B023
        except PlatformError:
            return
        for event in found:
            yield _frame(event)
        if not found:
            await watcher.changed(version)
            yield ": \n\n"


def _frame(event: Event) -> str:
    data = {"at": event.at, "kind": event.kind, "tenant_id": event.tenant_id, "object_id": event.object_id, **json.loads(event.data)}
    return f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(data)}\n\n"
