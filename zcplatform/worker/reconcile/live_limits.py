"""Restore the memory, processor, process and restart limits of a running container that were changed by hand (`docker update`).

Plans set them; quotas of a plan are elsewhere (ops/quotas.py). The engine's listing does not contain them, so they are compared after an inspection:
on the engine's `update` event, and in the health loop for every tenant in its first round and one tenant in twenty in each other.
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
    """Restore limits, with an audit entry and an event. False if that needs a new container."""
    place = deps.place(snapshot)
    seen = await place.look_at(snapshot.ref)
    is_boost = not isinstance(seen, Silence) and start_boost.explains(deps, snapshot, seen)
    changed = await place.set_limits(snapshot.workload)
    if changed is None:
        return False
    if is_boost:
        return True  # left by a killed worker; not a change by hand
    restored = {name: list(values) for name, values in changed.items()}
    tenant, at = snapshot.tenant, clock.text(clock.now())

    def write(tx: Tx) -> None:
        audit.append(tx, Entry(at, "system:reconcile", "tenant.limits", tenant.id, tenant.id, changes=restored))
        events.append(tx, at, "tenant.limits_restored", tenant_id=tenant.id, slug=tenant.slug, changes=restored)

    if restored:
        await deps.database.write(write)
    return True
