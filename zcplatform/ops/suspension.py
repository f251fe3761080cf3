"""Suspend and resume a tenant: the operator's hold, which its members cannot lift."""

from zcplatform.core.holds import Hold, HoldKind
from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.ops import access
from zcplatform.ops.context import Call
from zcplatform.ops.requests import record_request, require_not_deleting
from zcplatform.ops.tenants import is_stopping, run
from zcplatform.store import holds, operations, tenants
from zcplatform.store.operations import Operation


def suspend(call: Call, id_or_slug: str, reason: str) -> tuple[Tenant, Operation | None]:
    """Suspend a tenant: stop it, and show its members the reason.

    Suspending it again replaces the reason. With the same reason it retries a stop that failed, and otherwise changes nothing.
    """
    tenant = require_not_deleting(call.tx, id_or_slug)
    present = tenant.hold(HoldKind.SUSPENDED)
    runs = tenant.wanted == Wanted.RUNNING
    if present is not None and present.reason == reason:
        if runs and not is_stopping(call.tx, tenant):
            return record_request(call, tenant, Request.STOP)
        return tenant, operations.open_of(call.tx, tenant.id)
    call.record("tenant.suspend", tenant.id, tenant.id, reason=[present.reason if present else None, reason])
    call.emit("tenant.suspended", tenant_id=tenant.id, slug=tenant.slug, reason=reason)
    was_held = bool(tenant.holds)
    holds.put(call.tx, tenant.id, Hold(HoldKind.SUSPENDED, reason, call.at, call.actor.author))
    if runs and not was_held:
        return record_request(call, tenant, Request.STOP)
    return _settle(call, tenant), None


def resume(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """Start the tenant again if it is meant to run and nothing else holds it. A tenant that is not suspended needs no change."""
    tenant = require_not_deleting(call.tx, id_or_slug)
    present = tenant.hold(HoldKind.SUSPENDED)
    if present is None:
        return tenant, operations.open_of(call.tx, tenant.id)
    call.record("tenant.resume", tenant.id, tenant.id, reason=[present.reason, None])
    call.emit("tenant.resumed", tenant_id=tenant.id, slug=tenant.slug)
    holds.lift(call.tx, tenant.id, HoldKind.SUSPENDED)
    fresh = access.find(call.tx, tenant.id)
    return run(call, fresh, Request.START) if fresh.effective_wanted is Wanted.RUNNING else (_settle(call, fresh), None)


def _settle(call: Call, tenant: Tenant) -> Tenant:
    """A new generation with the same desired state. An operation in progress continues with it."""
    changed = tenants.want(call.tx, tenant, call.at)
    operations.carry_over(call.tx, tenant.id, changed.generation)
    return changed
