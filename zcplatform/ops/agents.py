"""Requests to a running agent. Each one that changes something or returns a credential is audited first, without codes, messages or replies."""

from zcplatform.core.tenant import Tenant, Wanted
from zcplatform.errors import Conflict
from zcplatform.ops import tenants
from zcplatform.ops.context import Caller


def require_running(caller: Caller, id_or_slug: str) -> Tenant:
    """Raises Conflict for a tenant that is not meant to run."""
    row = caller.read(lambda call: tenants.get(call.tx, id_or_slug))
    if row.effective_wanted is not Wanted.RUNNING:
        raise Conflict(
            "tenant.not_running", f"Tenant `{row.slug}` is {row.state}; this needs its running agent", "deploy or start the tenant first"
        )
    return row


async def request(caller: Caller, action: str, id_or_slug: str, subject: str = "") -> Tenant:
    """Write an audit entry `action` on `subject` (default: the tenant). A retry with the same key is rejected: the reply was not kept."""
    row = require_running(caller, id_or_slug)
    await caller.issue(action, subject or row.id, row.id)
    return row


async def reset_devices(caller: Caller, id_or_slug: str) -> Tenant:
    """Also for a stopped tenant, so that its devices are revoked before it starts again."""
    row = caller.read(lambda call: tenants.get(call.tx, id_or_slug))
    if row.wanted not in (Wanted.RUNNING, Wanted.STOPPED):
        raise Conflict("tenant.not_deployed", f"Tenant `{row.slug}` is {row.state}: no device is paired with it", "deploy the tenant first")
    await caller.issue("device.reset", row.id, row.id)
    return row
