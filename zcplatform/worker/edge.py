"""The edge loop: keeps Caddy's document equal to the one computed from the database, and repairs any difference within the period.

One round at a time compares, and sets the document if it differs. The first change is set at once; changes within `settle_s` after it wait for one
common round, because each one makes Caddy reload. The last accepted document is saved for the edge's next start.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from zcplatform import clock
from zcplatform.adapters.caddy import EdgeConflict, EdgeInterrupted
from zcplatform.core.edge import changed
from zcplatform.errors import StepFailed
from zcplatform.failpoint import failpoint
from zcplatform.worker.loop import Loop

Json = dict[str, Any]

_COMPARISONS = 5


class Edge(Protocol):
    async def get(self) -> tuple[Json | None, str]: ...
    async def set(self, document: Json, etag: str) -> None: ...


@dataclass
class EdgeStatus:
    last_ok_at: datetime | None = None
    last_error: Exception | None = None
    sets: int = 0


class EdgeLoop:
    def __init__(
        self,
        caddy: Edge,
        wanted: Callable[[], Json],
        save: Callable[[Json], None],
        settle_s: float = 0.5,
        period_s: float = 5.0,
    ) -> None:
        self.loop = Loop("edge", period_s, self._look)
        self.wake = self.loop.wake
        self.status = EdgeStatus()
        self._caddy = caddy
        self._wanted = wanted
        self._save = save
        self._settle_s = settle_s
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._rounds: set[asyncio.Task[None]] = set()
        self._quiet_until = 0.0
        self._kept: Json | None = None

    async def _look(self) -> None:
        await self.apply()
        if isinstance(self.status.last_error, OSError):
            words = self.status.last_error.strerror or "no space"
            raise StepFailed(
                "edge.not_saved", f"The edge's document cannot be saved for its next start: {words}", "Check the disk and its permissions"
            )

    async def apply(self) -> None:
        """Return once Caddy serves a document that was computed after this call. Simultaneous callers share one round."""
        if self._next is None:
            self._next = asyncio.create_task(self._round())
            self._rounds.add(self._next)
            self._next.add_done_callback(self._forget)
        await asyncio.shield(self._next)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._rounds.discard(task)
        if not task.cancelled():
            # Retrieve the error, so that asyncio does not warn about a round whose callers have all left: it is in the status.
            task.exception()

    async def _round(self) -> None:
        try:
            async with self._one_at_a_time:
                await asyncio.sleep(self._quiet_until - asyncio.get_running_loop().time())
                # From here on a new caller needs a new round: the document computed now may not contain its change.
                self._next = None
                standing = await self._converge()
        except Exception as error:
            self.status.last_error = error
            raise
        finally:
            if self._next is asyncio.current_task():
                self._next = None
        self.status.last_error = self._keep(standing)
        self.status.last_ok_at = clock.now()

    async def _converge(self) -> Json:
        for _ in range(_COMPARISONS - 1):
            try:
                return await self._compare()
            except (EdgeConflict, EdgeInterrupted):
                continue
        return await self._compare()

    async def _compare(self) -> Json:
        wanted = self._wanted()
        current, etag = await self._caddy.get()
        if changed(current, wanted):
            failpoint("edge.set.before")
            await self._caddy.set(wanted, etag)
            failpoint("edge.set.after")
            self.status.sets += 1
            self._kept = None  # an edge that lost its document may also have lost the saved one
            self._quiet_until = asyncio.get_running_loop().time() + self._settle_s
        return wanted

    def _keep(self, standing: Json) -> Exception | None:
        """Save the document for the edge's next start. A failure is recorded and retried; no caller fails, because the routes are in place."""
        if standing == self._kept:
            return None
        try:
            self._save(standing)
        except OSError as error:
            return error
        self._kept = standing
        return None
