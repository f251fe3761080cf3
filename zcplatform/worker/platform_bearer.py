"""Call tenants' agents with the platform's own token, and replace the token if it was revoked inside the agent.

Any paired person has full control of an agent and can revoke the token. The repair is an ordinary restart: the configuration is rendered
again with the token in it, and the agent is started with it.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from zcplatform import clock
from zcplatform.adapters.gateway import UNPAIRED
from zcplatform.core.audit import Entry
from zcplatform.core.tenant import Wanted
from zcplatform.engines.seen import Address
from zcplatform.errors import PlatformError, Unavailable
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.store import audit, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

T = TypeVar("T")
Wake = Callable[[TenantId], None]


async def with_bearer(deps: Deps, snapshot: TenantSnapshot, wake: Wake, call: Callable[[Address, str], Awaitable[T]]) -> T:
    """Call a running agent with the platform's token. Raises Unavailable; if the agent rejects the token, the repair has begun by then.

    The token is sent only to the address that the place reports for this tenant's own workload, never to an address from a row.
    """
    bearer = deps.database.read(lambda tx: deps.secrets.get(tx, snapshot.tenant.id, "agent", "bearer"))
    if bearer is None or snapshot.tenant.effective_wanted != Wanted.RUNNING or not snapshot.tenant.seen_healthy:
        raise Unavailable(
            "agent.not_ready",
            f"The agent of `{snapshot.tenant.slug}` is {snapshot.tenant.state}",
            "Wait until it is running",
            retry_after_s=5,
        )
    address = await deps.place(snapshot).agent(snapshot.ref)
    try:
        return await call(address, bearer[1])
    except PlatformError as error:
        if error.code == UNPAIRED:
            await repair_token(deps, snapshot, wake, "the platform's token was revoked inside the agent")
        raise


async def repair_token(deps: Deps, snapshot: TenantSnapshot, wake: Wake, why: str) -> None:
    """Render the configuration and restart the agent, once: a second call for the same container does nothing."""
    tenant, at = snapshot.tenant, clock.text(clock.now())

    def write(tx: Tx) -> bool:
        fresh = tenants.get(tx, tenant.id)
        if fresh is None or fresh.effective_wanted != Wanted.RUNNING or fresh.seen_config != tenant.seen_config or not fresh.seen_healthy:
            return False
        changes = {"seen_config": None, "seen_healthy": 0, "seen_healthy_at": None}
        if not tenants.record_seen(tx, tenant.id, tenant.generation, at, changes):
            return False
        audit.append(tx, Entry(at, "system:worker", "agent.repair_token", tenant.slug, tenant.id, changes={"why": why}))
        return True

    if await deps.database.write(write):
        logger.warning("an agent is restarted to repair its token", tenant=tenant.id, why=why)
        wake(tenant.id)
