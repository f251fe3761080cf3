"""Follow the engine's events. They are hints: a container that died or whose limits changed is inspected now instead of in the next period."""

from collections.abc import Callable

from zcplatform.engines.protocol import Engine
from zcplatform.errors import Unavailable
from zcplatform.ids import TenantId
from zcplatform.worker.loop import Loop

REOPEN_S = 2.0
_ACTIONS = ("die", "oom", "update", "destroy")


def engine_events_loop(engine: Engine, wake: Callable[[TenantId], None]) -> Loop:
    """Return the loop. One round follows the stream until it ends."""

    async def follow() -> None:
        async for tenant_id, action in engine.events():
            if tenant_id is not None and action in _ACTIONS:
                wake(tenant_id)
        raise Unavailable("engine.events", "The engine closed its stream of events", "It is opened again automatically")

    return Loop("engine_events", REOPEN_S, follow, longest_s=None)
