"""Start-up boost: an agent that starts may use up to a whole core until it is healthy, then its plan's processor limit again.

A quarter of a core makes a start about three times as long as it has to be. At most `start_boosts` agents have a boost at the same time, each for
at most 30 s, and one that failed before has none: a crash loop costs what the plan allows. The boost is no part of the workload and in no row.
What a killed worker leaves is a difference of limits, which the next close look finds and live_limits.py removes.
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
    """Before its start. Does nothing if too many have one, if the plan allows a core anyway, or if the last attempt failed."""
    boosts, tenant, workload = deps.boosts, snapshot.tenant, snapshot.workload
    if workload.cpu_millis >= BOOST_MILLIS or tenant.failures or not boosts.take(tenant.id, deps.settings.start_boosts):
        return
    try:
        await deps.place(snapshot).set_limits(_boosted(workload))
    finally:
        boosts.keep(asyncio.create_task(_end_later(deps, tenant.id)))


def end(deps: Deps, tenant_id: TenantId) -> None:
    """It is healthy, or will not be: the plan's limit is given back in the background."""
    deps.boosts.end(tenant_id)


def explains(deps: Deps, snapshot: TenantSnapshot, seen: TenantSeen) -> bool:
    """Whether a boost is all that tells the limits of what runs from those of the plan."""
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
    """As soon as the engine answers. Anything else that is wrong is found by the next close look."""
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
