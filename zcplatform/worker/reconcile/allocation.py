"""The step that gives a tenant its port, uid and subnet; numbers that something else on the host uses are passed over."""

from zcplatform import clock
from zcplatform.adapters import host
from zcplatform.core import subnet_pool
from zcplatform.core.network import capacity
from zcplatform.core.quarantine import reusable_before
from zcplatform.errors import StepFailed
from zcplatform.ids import TenantId
from zcplatform.store import allocations
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot


async def allocate(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Allocate port, uid and subnet in one transaction."""
    at = clock.text(clock.now())
    ports, uids = deps.settings.port_span, deps.settings.uid_span
    subnets = capacity(deps.settings.subnet_network)

    def take(tx: Tx) -> int:
        for kind, first, last in (
            ("uid", uids.first, uids.last),
            ("subnet", 0, subnets - 1),
            ("port", ports.first, ports.last),
        ):
            number = allocations.take(tx, snapshot.tenant.id, kind, first, last, reusable_before(kind, at))
            if number is None:
                raise StepFailed("host.exhausted", f"No free {kind} is left on this host", f"widen `{kind}s` in the settings file")
        return number  # type: ignore[return-value]

    while not host.port_free(port := await deps.database.write(take)):
        taken = port
        await deps.database.write(lambda tx: allocations.block(tx, "port", taken, at))  # noqa: B023
    while await deps.database.write(lambda tx: _passed_over(tx, deps, snapshot.tenant.id, at)):
        await deps.database.write(take)


def _passed_over(tx: Tx, deps: Deps, tenant_id: TenantId, at: str) -> bool:
    """Give up a subnet that would cut off a network of this host, and with it all others of that kind: not one per attempt."""
    pool = deps.settings.subnet_network
    foreign = subnet_pool.taken(pool, subnet_pool.overlaps(pool, host.routes(), deps.names.bridge_prefix))
    own = allocations.get(tx, tenant_id)
    if own is None or own.subnet not in foreign:
        return False
    for number in sorted(foreign - (allocations.held(tx, "subnet") - {own.subnet})):
        allocations.block(tx, "subnet", number, at)
    return True
