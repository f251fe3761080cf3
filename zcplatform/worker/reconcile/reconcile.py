"""Reconcile one tenant: load, observe, decide, act, record. The same call serves a first deploy, a retry, a restart and a repair.

Nothing is remembered between two calls: after a kill, the next worker observes everything again and continues. No transaction is open
while a call to the engine, the edge or an agent is under way.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

from zcplatform import clock
from zcplatform.core.plan import Seen, Step, plan
from zcplatform.core.tenant import CRASHES, IMAGE_GONE, OTHER_NUMBER, Wanted
from zcplatform.errors import PlatformError, RevisionRejected
from zcplatform.failpoint import failpoint
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.store import operations, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.observation import is_waiting, observe
from zcplatform.worker.reconcile.outcome import record_failure, roll_back, settle
from zcplatform.worker.reconcile.recording import as_platform_error
from zcplatform.worker.reconcile.snapshot import Superseded, TenantSnapshot, load
from zcplatform.worker.reconcile.steps import STEPS

ROUNDS = 5
AFTER_THE_ENGINE = frozenset({Step.HEALTH, Step.ROUTE, Step.VERIFY})
"""Steps that do not use the engine. While they wait for an agent or the edge, another tenant may use this one's slot."""


async def reconcile(deps: Deps, tenant_id: TenantId) -> None:
    """Bring one tenant to its desired state, or record why not and when the next attempt is due."""
    for _ in range(ROUNDS):
        generation = None
        try:
            generation = deps.database.read(lambda tx: tenants.generation(tx, tenant_id))
            snapshot = deps.database.read(lambda tx: load(tx, deps.settings, tenant_id))
            if snapshot is None:
                return
            seen = await _observe(deps, snapshot)
            todo = plan(snapshot.tenant.effective_wanted, seen)
            if not todo:
                await settle(deps, snapshot, seen)
                return
            await _run(deps, snapshot, todo)
        except Superseded:
            continue
        except RevisionRejected as refused:
            await roll_back(deps, tenant_id, generation, refused.detail)
        except Exception as unknown:  # any error is recorded on this tenant and does not affect others
            error = as_platform_error(unknown, tenant=tenant_id)
            if error.code in CRASHES | IMAGE_GONE and await roll_back(deps, tenant_id, generation, error.detail, error.code in IMAGE_GONE):
                continue
            await record_failure(deps, tenant_id, generation, error)
            if error.code not in CRASHES | OTHER_NUMBER:
                return  # a crashed agent must still lose its route; a new port or subnet is tried at once
    logger.warning("a tenant has not reached its desired state after several rounds; the next period continues", tenant=tenant_id)


async def _observe(deps: Deps, snapshot: TenantSnapshot) -> Seen:
    """Remove a route that is no longer wanted at once, whether or not the engine answers."""
    tenant = snapshot.tenant
    try:
        return await observe(deps, snapshot)
    except PlatformError:
        if tenant.effective_wanted in (Wanted.STOPPED, Wanted.ABSENT) and tenant.seen_upstream is not None:
            await _run(deps, snapshot, (Step.UNROUTE,))
        raise


async def _run(deps: Deps, snapshot: TenantSnapshot, todo: tuple[Step, ...]) -> None:
    async with AsyncExitStack() as places:
        holds = False
        for position, step in enumerate(todo):
            if step in AFTER_THE_ENGINE and holds:
                await places.aclose()
                holds = False
            elif step not in AFTER_THE_ENGINE and not holds:
                await places.enter_async_context(deps.engine_slots)
                holds = True
            await _step(deps, snapshot.tenant.id, snapshot.tenant.generation, step, todo, first=position == 0)


async def _step(deps: Deps, tenant_id: TenantId, generation: int, step: Step, todo: tuple[Step, ...], *, first: bool) -> None:
    snapshot = await deps.database.write(lambda tx: _begin(tx, deps, tenant_id, generation, step, todo, first=first))
    request = snapshot.tenant.last_request
    failpoint(f"{request}.{step}.before")
    started = asyncio.get_running_loop().time()
    try:
        await STEPS[step](deps, snapshot)
    except PlatformError as error:
        deps.metrics.steps.labels(step, "failed").observe(asyncio.get_running_loop().time() - started)
        if snapshot.operation is not None:
            operation, detail = snapshot.operation, deps.redactor(tenant_id)(error.detail)  # it may hold words of the agent
            await deps.database.write(lambda tx: operations.end_step(tx, operation.id, step, clock.text(clock.now()), detail))
        raise
    deps.metrics.steps.labels(step, "done").observe(asyncio.get_running_loop().time() - started)
    failpoint(f"{request}.{step}.after")


def _begin(tx: Tx, deps: Deps, tenant_id: TenantId, generation: int, step: Step, todo: tuple[Step, ...], *, first: bool) -> TenantSnapshot:
    """Load the snapshot again and record that the step begins (and the previous one ended), in one transaction. Raises Superseded."""
    snapshot = load(tx, deps.settings, tenant_id)
    if snapshot is None or snapshot.tenant.generation != generation:
        raise Superseded
    if is_waiting(snapshot):
        return replace(snapshot, operation=None)  # a dead route is removed; the operation keeps waiting
    if snapshot.operation is not None:
        at = clock.text(clock.now())
        if first:
            operations.begin(tx, snapshot.operation.id, at)
            operations.plan_steps(tx, snapshot.operation.id, todo)
        else:
            operations.end_step(tx, snapshot.operation.id, todo[todo.index(step) - 1], at)
        operations.begin_step(tx, snapshot.operation.id, step, at)
    return snapshot
