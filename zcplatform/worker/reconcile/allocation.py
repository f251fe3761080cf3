"""Port, uid and subnet of a tenant: allocated together, and replaced only on evidence from the kernel or the engine, never from an agent."""

from datetime import timedelta

from zcplatform import clock
from zcplatform.core.network import capacity
from zcplatform.core.quarantine import blocked_until, reusable_before
from zcplatform.errors import StepFailed
from zcplatform.log import logger
from zcplatform.store import allocations, events
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

PORTS_A_DAY = 5
"""Ports per day that a tenant may give up. More dead ports have another cause, and all tenants share the ports."""
PORT_DEAD = "tenant.port_dead"


async def allocate(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Allocate in one transaction. Numbers that something else on the machine uses are skipped."""
    at = clock.text(clock.now())
    ports, uids = deps.settings.port_span, deps.settings.uid_span
    subnets = capacity(deps.settings.subnet_network)

    def take(tx: Tx) -> int:
        for kind, span in (
            ("uid", (uids.first, uids.last)),
            ("subnet", (0, subnets - 1)),
            ("port", (ports.first, ports.last)),
        ):
            number = allocations.take(tx, snapshot.tenant.id, kind, span, at, reusable_before(kind, at))
            if number is None:
                raise StepFailed("host.exhausted", f"No free {kind} is left on this machine", f"Widen `{kind}s` in the settings file")
        return number  # type: ignore[return-value]

    place = deps.place(snapshot)
    while not await place.free_port(port := await deps.database.write(take)):
        await block(deps, "port", port)
    foreign = await place.taken_subnets()
    while await deps.database.write(lambda tx: _pass_over(tx, snapshot, foreign, at)):
        await deps.database.write(take)


def _pass_over(tx: Tx, snapshot: TenantSnapshot, foreign: frozenset[int], at: str) -> bool:
    """Give up a subnet that overlaps a network of this machine, and block all such subnets at once instead of one per attempt."""
    own = allocations.get(tx, snapshot.tenant.id)
    if own is None or own.subnet not in foreign:
        return False
    for number in sorted(foreign - (allocations.held(tx, "subnet") - {own.subnet})):
        allocations.block(tx, "subnet", number, at, blocked_until("subnet", at))
    return True


async def block(deps: Deps, kind: str, number: int) -> None:
    """Block a number that something else on the machine uses: no tenant gets it for a while."""
    at = clock.text(clock.now())
    await deps.database.write(lambda tx: allocations.block(tx, kind, number, at, blocked_until(kind, at)))


async def give_up_port(deps: Deps, snapshot: TenantSnapshot, port: int) -> bool:
    """Give up a port that the kernel routes elsewhere. False if the tenant has given up too many today."""
    tenant, now = snapshot.tenant, clock.now()
    at, since = clock.text(now), clock.text(now - timedelta(days=1))

    def write(tx: Tx) -> bool:
        if events.count(tx, PORT_DEAD, tenant.id, since) >= PORTS_A_DAY:
            return False
        allocations.block(tx, "port", port, at, blocked_until("port", at))
        events.append(tx, at, PORT_DEAD, tenant_id=tenant.id, slug=tenant.slug, port=port)
        return True

    done = await deps.database.write(write)
    if not done:
        logger.warning("a tenant keeps a dead port: it gave up too many today", tenant=tenant.id, port=port)
    return done
