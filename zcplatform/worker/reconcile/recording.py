"""Record observations, guarded by the tenant's generation: a result of an older request is dropped."""

from collections.abc import Mapping

from zcplatform import clock
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.audit import Entry
from zcplatform.core.secret_names import KINDS, row_of, secret_of
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.log import logger
from zcplatform.store import audit, revisions, secrets, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import Superseded, TenantSnapshot


def as_platform_error(error: Exception, **where: str) -> PlatformError:
    """Convert an error to one that users can see. An unforeseen one is logged with its traceback."""
    if isinstance(error, PlatformError):
        return error
    logger.exception("unforeseen error", error, **where)
    return StepFailed(
        "internal.error", f"An error inside the platform ({type(error).__name__}); the worker's log has the details", "report it"
    )


async def record_seen(deps: Deps, snapshot: TenantSnapshot, changes: Mapping[str, object]) -> None:
    """Record an observation. Raises Superseded if the generation has moved on."""
    at = clock.text(clock.now())
    if not await deps.database.write(lambda tx: tenants.record_seen(tx, snapshot.tenant.id, snapshot.tenant.generation, at, changes)):
        raise Superseded


async def record_verified(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Record that the tenant is healthy and reachable: a rollback returns to this revision and image from now on. Raises Superseded."""
    tenant = snapshot.tenant
    at = clock.text(clock.now())
    changes: dict[str, object] = {"seen_verified": 1, "last_good_revision": tenant.revision, "last_good_image_id": tenant.image}
    if tenant.is_unproven:
        changes |= {"rejected_revision": None, "rejected_reason": None, "rejected_image_id": None}

    def write(tx: Tx) -> bool:
        if not tenants.record_seen(tx, tenant.id, tenant.generation, at, changes):
            return False
        revisions.set_outcome(tx, tenant.id, tenant.revision, "good")
        _drop_secrets(tx, snapshot, at)
        return True

    if not await deps.database.write(write):
        raise Superseded


def _drop_secrets(tx: Tx, snapshot: TenantSnapshot, at: str) -> None:
    """Delete secrets without a slot in the settings that are now good. Until now a rollback could have needed them."""
    wanted = {row_of(place.name) for place in secret_slots(snapshot.settings)}
    for row in secrets.of_tenant(tx, snapshot.tenant.id):
        if row.kind in KINDS and (row.kind, row.name) not in wanted:
            secrets.remove(tx, snapshot.tenant.id, row.kind, row.name)
            changes = {f"secret {secret_of(row.kind, row.name)}": ["set", None]}
            audit.append(tx, Entry(at, "system:reconcile", "secret.drop", row.id, snapshot.tenant.id, changes=changes))
