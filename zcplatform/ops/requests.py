"""What every wish about a tenant is written with: the tenant at hand, its settings, a new revision, an operation and its audit entry."""

import json
from collections.abc import Mapping
from typing import Any

from zcplatform.core.plan import FIRST_DEPLOY
from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.errors import Conflict
from zcplatform.ops import access
from zcplatform.ops.context import Actor
from zcplatform.store import audit, operations, revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation


def require_not_deleting(tx: Tx, id_or_slug: str) -> Tenant:
    """One that is not being deleted."""
    tenant = access.find(tx, id_or_slug)
    if tenant.wanted == Wanted.ABSENT:
        raise Conflict("tenant.deleting", f"Tenant `{tenant.slug}` is being deleted", "create another one")
    return tenant


def settings_of(tx: Tx, tenant: Tenant) -> dict[str, Any]:
    """The settings a change starts from: those it runs with, or will at its next start."""
    revision = revisions.get(tx, tenant.id, tenant.revision)
    return dict(json.loads(revision.settings)) if revision else {}


def revise(tx: Tx, actor: Actor, tenant: Tenant, settings: Mapping[str, Any], note: str, at: str) -> int:
    """The number of the new revision."""
    number = revisions.last_number(tx, tenant.id) + 1
    revisions.append(tx, revisions.Revision(tenant.id, number, json.dumps(settings), actor.author, note, at))
    return number


def apply_to_running(tx: Tx, actor: Actor, tenant: Tenant, at: str, **wanted: object) -> tuple[Tenant, Operation | None]:
    """Settings were written: a running tenant is brought to them, others take them at their next start."""
    if not wanted:
        return tenant, None
    if tenant.wanted != Wanted.RUNNING:
        changed = tenants.want(tx, tenant, at, **(_currently_running(tenant) | wanted))
        operations.carry_over(tx, tenant.id, changed.generation)
        return changed, None
    return record_request(tx, actor, tenant, at, Request.UPDATE, **wanted)


def record_request(tx: Tx, actor: Actor, tenant: Tenant, at: str, request: Request, **wanted: object) -> tuple[Tenant, Operation]:
    """Write down the wish: rows, operation and audit entry in the caller's transaction."""
    operations.supersede_open(tx, tenant.id, at)
    first = tenant.wanted == Wanted.DRAFT and request is Request.DEPLOY
    changed = tenants.want(tx, tenant, at, last_request=str(request), **(_currently_running(tenant) | wanted))
    operation = operations.asked(f"tenant.{request}", actor.author, at, tenant_id=tenant.id, generation=changed.generation)
    operations.insert(tx, operation, FIRST_DEPLOY if first else ())
    audit.append(tx, actor.entry(at, f"tenant.{request}", tenant.id, tenant.id, operation=[None, operation.id]))
    return changed, operation


def _currently_running(tenant: Tenant) -> dict[str, object]:
    """What was taken back is not tried again by asking for something else."""
    return {"wanted_revision": tenant.revision, "image_id": tenant.image}
