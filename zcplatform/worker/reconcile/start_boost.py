"""Start-up boost: a starting agent may use up to a whole core until it is healthy. Then its plan's processor limit applies again.

With a quarter of a core, a start takes about three times as long as necessary. At most `start_boosts` agents have a boost at the same time, each for
at most 30 s, and one that failed before has none: a crash loop costs what the plan allows. The boost is not part of the workload and not in
any row. If the worker is killed, the boost remains as a difference of limits, which the next inspection finds and live_limits.py removes.
"""

import asyncio
from contextlib import suppress
from dataclasses import replace

from zcplatform.core.workload import Workload
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import TenantSeen
from zcplatform.errors import PlatformError
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

BOOST_MILLIS = 1000
BOOST_S = 30.0
AGAIN_S = 1.0


async def begin(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Boost an agent before its start. Does nothing if too many have a boost, if the plan allows a core anyway, or if the last attempt failed."""
    boosts, tenant, workload = deps.boosts, snapshot.tenant, snapshot.workload
    if workload.cpu_millis >= BOOST_MILLIS or tenant.failures or not boosts.take(tenant.id, deps.settings.start_boosts):
        return
    try:
        await deps.place(snapshot).set_limits(_boosted(workload))
    finally:
        boosts.keep(asyncio.create_task(_end_later(deps, tenant.id)))


def end(deps: Deps, tenant_id: TenantId) -> None:
    """End the boost, because the agent is healthy or failed. The plan's limit is restored in the background."""
    deps.boosts.end(tenant_id)


def explains(deps: Deps, snapshot: TenantSnapshot, seen: TenantSeen) -> bool:
    """Whether a boost is the only difference between the container's limits and the plan's."""
    workload = snapshot.workload
    return workload.cpu_millis < BOOST_MILLIS and not deps.place(snapshot).compare(_boosted(workload), seen).limits


def _boosted(workload: Workload) -> Workload:
    return replace(workload, cpu_millis=BOOST_MILLIS)


async def _end_later(deps: Deps, tenant_id: TenantId) -> None:
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(BOOST_S):
                await deps.boosts.ended(tenant_id)
        await _restore(deps, tenant_id)
    finally:
        deps.boosts.release(tenant_id)


async def _restore(deps: Deps, tenant_id: TenantId) -> None:
    """Restore the limit as soon as the engine answers. The next inspection finds any other difference."""
    while True:
        try:
            snapshot = deps.snapshot(tenant_id)
            if snapshot is not None:
                await deps.place(snapshot).set_limits(snapshot.workload)
            return
        except EngineUnreachable:
            await asyncio.sleep(AGAIN_S)
        except PlatformError as error:
            logger.info("a start-up boost could not be ended", tenant=tenant_id, error=error.detail)
            return
