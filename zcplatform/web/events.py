"""/api/events: what became true, as server-sent events that resume where they broke off.

One watcher looks whether another process committed (a number SQLite keeps, no query) while somebody listens, and wakes all streams.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from zcplatform import clock
from zcplatform.core.roles import Permission
from zcplatform.errors import PlatformError
from zcplatform.ops import access
from zcplatform.ops.actor import Actor
from zcplatform.store import events
from zcplatform.store.db import Database, Tx
from zcplatform.store.events import Event
from zcplatform.web.actor import ContextOf, needs
from zcplatform.web.streams import Kind, OpeningOf

router = APIRouter(prefix="/api/events", tags=["events"])
LOOK_EVERY_S = 0.1
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
KEEP_ALIVE_S = 15.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Watcher:
    """Wakes listeners after each commit of another process; costs nothing while nobody listens. Ends every stream when stopped."""

    def __init__(self, database: Database) -> None:
        self.stopped = asyncio.Event()
        self._database = database
        self._changed = asyncio.Condition()
        self._listeners = 0
        self._task: asyncio.Task[None] | None = None

    async def changed(self, version: int) -> None:
        """Return when something was committed since `version`, after KEEP_ALIVE_S at the latest, or at once when stopped."""
        if self._database.data_version() != version or self.stopped.is_set():
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
        version = self._database.data_version()
        while self._listeners and not self.stopped.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            now = self._database.data_version()
            if now != version:
                version = now
                async with self._changed:
                    self._changed.notify_all()
                await asyncio.sleep(0)
        self._task = None


@router.get("", response_class=StreamingResponse)
async def stream(
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.EVENTS_READ)],
    opening: OpeningOf,
    tenant: Annotated[str | None, Query(max_length=64, description="id or slug: only this tenant's")] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events of the tenants one sees, from now on or from after Last-Event-ID. Ends when what one may do changes."""
    if tenant and actor.needed is not None:
        needed, at = actor.needed, clock.text(clock.now())
        actor = context.database.read(lambda tx: access.permit(tx, actor, needed, tenant, at))
    opening.count(Kind.EVENTS, actor)
    start = int(last_event_id) if last_event_id and _NUMBER.fullmatch(last_event_id) else context.database.read(events.newest_id)
    watcher: Watcher = request.app.state.watcher
    return StreamingResponse(_stream(context.database, watcher, start, actor), media_type="text/event-stream", headers=HEADERS)


async def _stream(database: Database, watcher: Watcher, last_id: int, actor: Actor) -> AsyncIterator[str]:
    def load(tx: Tx) -> tuple[list[Event], int]:
        access.again(tx, actor, clock.text(clock.now()))
        newest = events.newest_id(tx)
        found = events.after(tx, last_id, actor.visibility, tenant_id=actor.tenant_id)
        return found, found[-1].id if len(found) == events.BATCH else newest

    yield ": connected\n\n"
    while not watcher.stopped.is_set():
        version = database.data_version()  # before the read: a commit in between is seen as one
        try:
            found, last_id = database.read(load)
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
