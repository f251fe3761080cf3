"""A container's limits: what somebody changed by hand (`docker update`) is seen, told and given back.

The engine's list of containers does not hold them: they are compared when a container is inspected, after the engine's `update` event, and in the
health loop, of everybody in its first round and of one tenant in twenty in each other, because a hint may be lost.
"""

from typing import Any

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.core.container import limits, update_body
from zcplatform.engines.docker.answers import ContainerSeen
from zcplatform.errors import StepFailed
from zcplatform.log import logger
from zcplatform.store import audit, events
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, body


def drifted_limits(deps: Deps, snapshot: TenantSnapshot, container: ContainerSeen) -> dict[str, list[Any]]:
    """Name → [seen, wanted] of what differs; empty when it was only listed. What this host's engine does not keep is no difference."""
    if container.limits is None:
        return {}
    seen, wanted = container.limits, limits(body(deps.settings, deps.names, snapshot)["HostConfig"])
    names = (
        name for name in wanted if seen[name] != wanted[name] and deps.unsupported_limits.get((snapshot.tenant.id, name)) != seen[name]
    )
    return {name: [seen[name], wanted[name]] for name in names}


async def restore_limits(deps: Deps, snapshot: TenantSnapshot, container: ContainerSeen) -> bool:
    """Told in the audit log and as an event. False when the engine refuses; what it takes without changing it is noted, and told in the log."""
    different = drifted_limits(deps, snapshot, container)
    if not different:
        return True
    tenant, at = snapshot.tenant, clock.text(clock.now())
    wanted = limits(body(deps.settings, deps.names, snapshot)["HostConfig"])
    try:
        await deps.docker.update(container.id, update_body(wanted))
        is_taken = True
    except StepFailed as error:
        if error.code != "engine.refused":
            raise
        logger.warning("a container can not be given its limits back and is replaced", tenant=tenant.id, error=error.detail)
        is_taken = False
    found = await deps.docker.container(container.name) if is_taken else None
    left = drifted_limits(deps, snapshot, found) if found is not None else {}
    if left:
        logger.warning("this engine does not keep all limits of containers", limits=", ".join(left))
        deps.unsupported_limits.update({(tenant.id, name): values[0] for name, values in left.items() if values == different.get(name)})
    mended = {name: values for name, values in different.items() if name not in left}

    def write(tx: Tx) -> None:
        audit.append(tx, Entry(at, "system:reconcile", "tenant.limits", tenant.id, tenant.id, changes=mended))
        events.append(tx, at, "tenant.limits_restored", tenant_id=tenant.id, slug=tenant.slug, changes=mended)

    if mended:
        await deps.database.write(write)
    return is_taken
