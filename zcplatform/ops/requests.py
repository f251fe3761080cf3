"""Shared steps of requests about a tenant: save a revision, record the desired state, an operation and its audit entry."""

import json
from collections.abc import Mapping
from typing import Any

from zcplatform import bounded_json
from zcplatform.core.plan import FIRST_DEPLOY
from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.errors import Conflict
from zcplatform.ops import access
from zcplatform.ops.context import Call
from zcplatform.store import operations, revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation


def require_not_deleting(tx: Tx, id_or_slug: str) -> Tenant:
    """Raises NotFound, and Conflict for a tenant that is being deleted."""
    tenant = access.find(tx, id_or_slug)
    if tenant.wanted == Wanted.ABSENT:
        raise Conflict("tenant.deleting", f"Tenant `{tenant.slug}` is being deleted", "create another tenant")
    return tenant


def settings_of(tx: Tx, tenant: Tenant) -> dict[str, Any]:
    """The settings a change starts from: those that the tenant runs with, or will run with at its next start."""
    revision = revisions.get(tx, tenant.id, tenant.revision)
    return dict(bounded_json.loads(revision.settings)) if revision else {}


def revise(call: Call, tenant: Tenant, settings: Mapping[str, Any], note: str) -> int:
    """Save a new revision. Returns its number."""
    number = revisions.last_number(call.tx, tenant.id) + 1
    revisions.append(call.tx, revisions.Revision(tenant.id, number, json.dumps(settings), call.actor.author, note, call.at))
    return number


def apply_to_running(call: Call, tenant: Tenant, **wanted: object) -> tuple[Tenant, Operation | None]:
    """Apply changed settings: by an operation to a running tenant, to others at their next start."""
    if not wanted:
        return tenant, None
    if tenant.effective_wanted is not Wanted.RUNNING:
        changed = tenants.want(call.tx, tenant, call.at, **(_currently_running(tenant) | wanted))
        operations.carry_over(call.tx, tenant.id, changed.generation)
        return changed, None
    return record_request(call, tenant, Request.UPDATE, **wanted)


def record_request(call: Call, tenant: Tenant, request: Request, **wanted: object) -> tuple[Tenant, Operation]:
    """Write the desired state, an operation and an audit entry. An open operation of the tenant is superseded."""
    operations.supersede_open(call.tx, tenant.id, call.at)
    is_first = tenant.wanted == Wanted.DRAFT and request is Request.DEPLOY
    # One that only stops writes nothing that refers to other rows: no damage to those prevents it.
    runs_with = {} if request in (Request.STOP, Request.DELETE) else _currently_running(tenant)
    changed = tenants.want(call.tx, tenant, call.at, last_request=str(request), **(runs_with | wanted))
    operation = operations.requested(f"tenant.{request}", call.actor.author, call.at, tenant_id=tenant.id, generation=changed.generation)
    operations.insert(call.tx, operation, FIRST_DEPLOY if is_first else ())
    call.record(f"tenant.{request}", tenant.id, tenant.id, operation=[None, operation.id])
    return changed, operation


def _currently_running(tenant: Tenant) -> dict[str, object]:
    """Keep running the last good revision after a rollback: the rejected one is not retried because of an unrelated request."""
    return {"wanted_revision": tenant.revision, "image_id": tenant.image}
