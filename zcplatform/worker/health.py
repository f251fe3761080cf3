"""The health loop: checks every running agent at once, bounded; after three failed checks in a row the agent is restarted.

Docker never restarts an agent that hangs. A good answer proves little (the agent reports ok early), so it only resets the count.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from zcplatform import clock
from zcplatform.core import backoff
from zcplatform.core.tenant import Tenant
from zcplatform.core.workload import TenantRef
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import Address, Silence, Stamp
from zcplatform.errors import StepFailed
from zcplatform.ids import LOCAL, TenantId
from zcplatform.log import logger
from zcplatform.store import tenants
from zcplatform.worker.configuration.readback import keep_saved, read_saved
from zcplatform.worker.deps import Deps
from zcplatform.worker.loop import Loop
from zcplatform.worker.platform_bearer import repair_token
from zcplatform.worker.reconcile.outcome import record_failure

AT_ONCE = 32
FAILURES_BEFORE_RESTART = 3
CLOSE_LOOK_EVERY = 20
"""In rounds. What a listing does not show (a container's limits) is inspected for one tenant in twenty each round."""


def is_close_look(position: int, round_: int) -> bool:
    """Return whether a close look at the tenant is due. In the first round (`round_` 1) it is due for all: events before the start were missed."""
    return round_ == 1 or (position + round_) % CLOSE_LOOK_EVERY == 0


class HealthLoop:
    def __init__(self, deps: Deps, period_s: float, wake: Callable[[TenantId], None]) -> None:
        self.loop = Loop("health", period_s, self._round, first_after_s=period_s)
        self._deps = deps
        self._wake = wake
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[TenantId, Stamp] = {}
        """Stamps of the agents' files when they were last read."""
        self._rounds = 0

    async def _round(self) -> None:
        """Check running agents. One that does not answer because the engine or its rules are gone is not counted as failing."""
        place, began = self._deps.engine.place(LOCAL), self._deps.upstreams.moment
        look = await place.look()
        if isinstance(look, Silence):
            raise EngineUnreachable(look.detail, look.hint)
        self._deps.upstreams.saw_all(place, look, began)
        if look.trouble is not None:
            return
        rows = [row for row in self._deps.database.read(tenants.everything) if row.effective_wanted == "running" and row.seen_healthy]
        self._kept = {row.id: self._kept[row.id] for row in rows if row.id in self._kept}
        self._rounds += 1
        for position, row in enumerate(rows):
            if is_close_look(position, self._rounds):
                self._kept.pop(row.id, None)  # a write through a memory map does not change the stamp
                self._wake(row.id)
        found = ((row, look.of(TenantRef(row.id, row.slug)).workload) for row in rows)
        running = [(row, seen.address) for row, seen in found if seen is not None and seen.address is not None]
        await asyncio.gather(*(self._look(row, address) for row, address in running))

    async def _look(self, row: Tenant, address: Address) -> None:
        async with self._slots:
            try:
                await self._ask(row, address)
            except Exception:
                logger.exception("a health check failed with an error; the other checks continue", tenant=row.id)

    async def _ask(self, row: Tenant, address: Address) -> None:
        deps = self._deps
        snapshot = deps.snapshot(row.id)
        if snapshot is None or snapshot.tenant.generation != row.generation:
            return
        answer = await deps.gateway.health(address)
        if answer.is_ok:
            await self._well(row)
            stamp = await deps.place(snapshot).stamp_configuration(snapshot.ref, "config.toml")
            # An idle agent does not write its file: nothing to read, decrypt and parse.
            if stamp is not None and stamp != self._kept.get(row.id):
                if await keep_saved(deps, snapshot, await read_saved(deps, snapshot)):
                    if stamp.is_settled:
                        self._kept[row.id] = stamp
                elif _is_calm(row):
                    await repair_token(deps, snapshot, self._wake, "the platform's token is gone from the agent's file")
        else:
            await self._unwell(row, answer.error)

    async def _well(self, row: Tenant) -> None:
        """Record the outcome. Only changes are written: a healthy tenant costs no write."""
        calm = row.failures and _is_calm(row)
        changes: dict[str, object] = {}
        if row.seen_probe_failures:
            changes["seen_probe_failures"] = 0
        if calm:
            changes["failures"] = 0
        if changes:
            await self._saw(row, changes)

    async def _unwell(self, row: Tenant, problem: str) -> None:
        failures = row.seen_probe_failures + 1
        if failures < FAILURES_BEFORE_RESTART:
            await self._saw(row, {"seen_probe_failures": failures})
            return
        if not await self._saw(row, {"seen_probe_failures": 0, "seen_healthy": 0, "seen_healthy_at": None, "seen_config": None}):
            return
        error = StepFailed(
            "agent.unhealthy",
            f"The agent of `{row.slug}` failed {failures} checks in a row: {problem}",
            f"zcplatform tenants logs {row.slug}",
        )
        await record_failure(self._deps, row.id, row.generation, error)
        self._wake(row.id)

    async def _saw(self, row: Tenant, changes: dict[str, object]) -> bool:
        at = clock.text(clock.now())
        return await self._deps.database.write(lambda tx: tenants.record_seen(tx, row.id, row.generation, at, changes))


def _is_calm(row: Tenant) -> bool:
    """Whether the agent has been healthy for a while: one that removes our token at every start must not be restarted over and over."""
    return row.seen_healthy_at is not None and row.seen_healthy_at < clock.text(clock.now() - timedelta(seconds=backoff.CALM_S))
