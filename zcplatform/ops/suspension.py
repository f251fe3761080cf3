"""Suspending a tenant and resuming it: the operator's stop, which nobody in the tenant can undo. Each runs inside one transaction."""

from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.ops import tenants as asking
from zcplatform.ops.context import Actor, Context
from zcplatform.ops.requests import record_request, require_not_deleting
from zcplatform.store import audit, events, operations, tenants
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation


def suspend(tx: Tx, actor: Actor, at: str, id_or_slug: str, reason: str) -> tuple[Tenant, Operation | None]:
    """Its members read the reason. A running one is stopped; suspended once more it has the new reason, and a stop that failed is begun again."""
    tenant = require_not_deleting(tx, id_or_slug)
    if tenant.suspended_reason == reason:
        if tenant.suspended_runs and not asking.is_stopping(tx, tenant):
            return record_request(tx, actor, tenant, at, Request.STOP, wanted=Wanted.STOPPED)
        return tenant, operations.open_of(tx, tenant.id)
    audit.append(tx, actor.entry(at, "tenant.suspend", tenant.id, tenant.id, suspended_reason=[tenant.suspended_reason, reason]))
    events.append(tx, at, "tenant.suspended", tenant_id=tenant.id, slug=tenant.slug, reason=reason)
    if tenant.wanted == Wanted.RUNNING:
        return record_request(tx, actor, tenant, at, Request.STOP, wanted=Wanted.STOPPED, suspended_reason=reason, suspended_runs=1)
    changed = tenants.want(tx, tenant, at, suspended_reason=reason)
    operations.carry_over(tx, tenant.id, changed.generation)
    return changed, None


def resume(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """One that ran before is started again. Not suspended is success."""
    tenant = require_not_deleting(tx, id_or_slug)
    if tenant.suspended_reason is None:
        return tenant, operations.open_of(tx, tenant.id)
    audit.append(tx, actor.entry(at, "tenant.resume", tenant.id, tenant.id, suspended_reason=[tenant.suspended_reason, None]))
    events.append(tx, at, "tenant.resumed", tenant_id=tenant.id, slug=tenant.slug)
    changed = tenants.want(tx, tenant, at, suspended_reason=None, suspended_runs=0)
    operations.carry_over(tx, tenant.id, changed.generation)
    return asking.start(tx, context, actor, at, tenant.id) if tenant.suspended_runs else (changed, None)
