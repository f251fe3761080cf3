"""Schedule reconciliation: at most one run per tenant, on a wake-up, and in every period for tenants that differ from their desired state.

A wake-up names a tenant and is only a hint. In every period one request to the place observes everything, and tenants that need work are woken.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from zcplatform import clock
from zcplatform.core import backoff
from zcplatform.core.plan import plan
from zcplatform.core.tenant import ENGINE_UNREACHABLE, Tenant, Wanted
from zcplatform.core.workload import TenantRef
from zcplatform.engines.seen import Known, Look, Machine, Silence
from zcplatform.ids import LOCAL, TenantId
from zcplatform.log import logger
from zcplatform.store import allocations, machines, operations, tenants
from zcplatform.store.db import Tx
from zcplatform.store.machines import MachineRow
from zcplatform.worker.deps import Deps
from zcplatform.worker.loop import Loop
from zcplatform.worker.reconcile.observation import facts
from zcplatform.worker.reconcile.reconcile import reconcile

Reconcile = Callable[[Deps, TenantId], Awaitable[None]]


class Driver:
    def __init__(self, deps: Deps, period_s: float, act: Reconcile = reconcile) -> None:
        self.loop = Loop("reconcile", period_s, self._round)
        self._deps = deps
        self._act = act
        self._running: dict[TenantId, asyncio.Task[None]] = {}
        self._again: set[TenantId] = set()

    def wake(self, tenant_id: TenantId) -> None:
        """Reconcile this tenant now, or once more if it is being reconciled."""
        if tenant_id in self._running:
            self._again.add(tenant_id)
            return
        task = asyncio.create_task(self._work(tenant_id))
        self._running[tenant_id] = task

    async def _work(self, tenant_id: TenantId) -> None:
        try:
            await self._act(self._deps, tenant_id)
        except Exception:
            logger.exception("reconciling failed because of a bug; the next period retries", tenant=tenant_id)
        finally:
            del self._running[tenant_id]
            if tenant_id in self._again:
                self._again.discard(tenant_id)
                self.wake(tenant_id)

    async def _round(self) -> None:
        """Observe everything and wake tenants that differ from their desired state."""
        started = asyncio.get_running_loop().time()
        try:
            await self.look()
        finally:
            self._deps.metrics.rounds.inc()
            self._deps.metrics.round_seconds.set(asyncio.get_running_loop().time() - started)

    async def look(self) -> None:
        deps, place = self._deps, self._deps.engine.place(LOCAL)
        began = deps.upstreams.moment
        look = await place.look()
        if isinstance(look, Silence):
            deps.metrics.engine_up.set(0)
            rows = deps.database.read(tenants.everything)
            await self._record_silence(rows, look)
            for row in rows:  # a name without a target needs only the edge
                if row.effective_wanted in (Wanted.STOPPED, Wanted.ABSENT) and row.seen_upstream is not None:
                    self.wake(row.id)
            await self._record_machines()
            return
        deps.metrics.engine_up.set(1)
        deps.upstreams.saw_all(place, look, began)
        await self._record_machines()
        for row in deps.database.read(tenants.everything):
            if row.id not in self._running and self._needs_work(row, look):
                self.wake(row.id)
        if deps.database.read(tenants.were_never_any):
            return  # an empty table more likely means a lost database, so nothing is removed because of it
        await place.sweep(lambda: deps.database.read(_known), look)

    def _needs_work(self, row: Tenant, look: Look) -> bool:
        """Compare a tenant's row with the listing; a tenant that is woken is then inspected. An unreadable row needs work too: reconciling reports it."""
        deps = self._deps
        try:
            snapshot = deps.snapshot(row.id)
            if snapshot is None or not backoff.is_due(snapshot.tenant.next_attempt_at, clock.now()):
                return False
            tenant = snapshot.tenant
            if tenant.next_attempt_at is not None:
                return True
            if snapshot.operation is not None or tenant.generation != tenant.seen_generation or tenant.error_code is not None:
                return tenant.effective_wanted != Wanted.DRAFT
            seen = facts(deps, snapshot, look.of(snapshot.ref), firewall_stands=look.firewall_stands)
            return bool(plan(row.effective_wanted, seen))
        except Exception:
            return backoff.is_due(row.next_attempt_at, clock.now())

    async def _record_machines(self) -> None:
        """Record the machines for operators and the web process. Written only when something changed."""
        found = await self._deps.engine.machines()
        known = {row.id: row for row in self._deps.database.read(machines.everything)}
        at = clock.text(clock.now())
        rows = [_machine_row(machine, at, known.get(machine.id)) for machine in found]
        changed = [row for row in rows if not row.same_as(known.get(row.id))]
        if changed:
            await self._deps.database.write(lambda tx: machines.put(tx, changed))

    async def _record_silence(self, rows: list[Tenant], silence: Silence) -> None:
        """Record once, on each tenant that needs the engine, that it does not answer. Nothing is concluded about agents, which may still serve."""
        now = clock.now()
        at, soon = clock.text(now), clock.text(now + timedelta(seconds=backoff.UNREACHABLE_S))

        def write(tx: Tx) -> None:
            for row in rows:
                if row.effective_wanted == Wanted.DRAFT or row.error_code == ENGINE_UNREACHABLE:
                    continue
                error = (ENGINE_UNREACHABLE, silence.detail, silence.hint)
                changes = {**dict(zip(("error_code", "error_detail", "error_hint"), error, strict=True)), "next_attempt_at": soon}
                tenants.record_seen(tx, row.id, row.generation, at, changes)
                operation = operations.open_of(tx, row.id)
                if operation is not None:
                    operations.wait(tx, operation.id, at, *error, soon)

        await self._deps.database.write(write)


def _machine_row(machine: Machine, at: str, before: MachineRow | None) -> MachineRow:
    """One that does not answer keeps what was known of it, and the time of that."""
    facts = machine.facts
    if facts is None and before is not None:
        return replace(before, name=machine.name, state=machine.state)
    return MachineRow(
        id=machine.id,
        name=machine.name,
        state=machine.state,
        engine=facts.engine if facts else None,
        cpus=facts.cpus if facts else None,
        memory_bytes=facts.memory_bytes if facts else None,
        problems=json.dumps(facts.problems if facts else ()),
        seen_at=at if facts else None,
    )


def _known(tx: Tx) -> Known:
    refs = tuple(TenantRef(row.id, row.slug) for row in tenants.everything(tx))
    return Known(refs, frozenset(allocations.held(tx, "subnet")))
