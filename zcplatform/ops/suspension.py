"""Suspending a tenant and resuming it: the operator's stop, which nobody in the tenant can undo. Each runs inside one transaction."""

from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.ops import tenants as asking
from zcplatform.ops.context import Call
from zcplatform.ops.requests import record_request, require_not_deleting
from zcplatform.store import operations, tenants
from zcplatform.store.operations import Operation


def suspend(call: Call, id_or_slug: str, reason: str) -> tuple[Tenant, Operation | None]:
    """Its members read the reason. A running one is stopped; suspended once more it has the new reason, and a stop that failed is begun again."""
    tenant = require_not_deleting(call.tx, id_or_slug)
    if tenant.suspended_reason == reason:
        if tenant.suspended_runs and not asking.is_stopping(call.tx, tenant):
            return record_request(call, tenant, Request.STOP, wanted=Wanted.STOPPED)
        return tenant, operations.open_of(call.tx, tenant.id)
    call.record("tenant.suspend", tenant.id, tenant.id, suspended_reason=[tenant.suspended_reason, reason])
    call.emit("tenant.suspended", tenant_id=tenant.id, slug=tenant.slug, reason=reason)
    if tenant.wanted == Wanted.RUNNING:
        return record_request(call, tenant, Request.STOP, wanted=Wanted.STOPPED, suspended_reason=reason, suspended_runs=1)
    changed = tenants.want(call.tx, tenant, call.at, suspended_reason=reason)
    operations.carry_over(call.tx, tenant.id, changed.generation)
    return changed, None


def resume(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """One that ran before is started again. Not suspended is success."""
    tenant = require_not_deleting(call.tx, id_or_slug)
    if tenant.suspended_reason is None:
        return tenant, operations.open_of(call.tx, tenant.id)
    call.record("tenant.resume", tenant.id, tenant.id, suspended_reason=[tenant.suspended_reason, None])
    call.emit("tenant.resumed", tenant_id=tenant.id, slug=tenant.slug)
    changed = tenants.want(call.tx, tenant, call.at, suspended_reason=None, suspended_runs=0)
    operations.carry_over(call.tx, tenant.id, changed.generation)
    return asking.start(call, tenant.id) if tenant.suspended_runs else (changed, None)
