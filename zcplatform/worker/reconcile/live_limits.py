"""Gives a running container back the memory, processor, process and restart limits that somebody changed by hand (`docker update`).

Plans set them; quotas of a plan are elsewhere (ops/quotas.py). A listing of the engine does not hold them: they are compared after a close look,
on the engine's `update` event, and in the health loop for everybody in its first round and one tenant in twenty in each other.
"""

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.engines.seen import Silence
from zcplatform.store import audit, events
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile import start_boost
from zcplatform.worker.reconcile.snapshot import TenantSnapshot


async def restore_limits(deps: Deps, snapshot: TenantSnapshot) -> bool:
    """Reported in the audit log and as an event. False when it takes a new container."""
    place = deps.place(snapshot)
    seen = await place.look_at(snapshot.ref)
    is_boost = not isinstance(seen, Silence) and start_boost.explains(deps, snapshot, seen)
    changed = await place.set_limits(snapshot.workload)
    if changed is None:
        return False
    if is_boost:
        return True  # a worker that was killed left it: nobody changed anything
    restored = {name: list(values) for name, values in changed.items()}
    tenant, at = snapshot.tenant, clock.text(clock.now())

    def write(tx: Tx) -> None:
        audit.append(tx, Entry(at, "system:reconcile", "tenant.limits", tenant.id, tenant.id, changes=restored))
        events.append(tx, at, "tenant.limits_restored", tenant_id=tenant.id, slug=tenant.slug, changes=restored)

    if restored:
        await deps.database.write(write)
    return True
