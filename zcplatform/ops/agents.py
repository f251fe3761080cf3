"""What may be asked of a running agent: each is written down before it is done, without codes, messages or answers."""

from zcplatform.core.tenant import Tenant, Wanted
from zcplatform.errors import Conflict
from zcplatform.ops import tenants
from zcplatform.ops.context import Actor, Context, RetryKey, issue


def running(context: Context, id_or_slug: str) -> Tenant:
    """Raises Conflict for one that is not meant to run."""
    row = context.database.read(lambda tx: tenants.get(tx, id_or_slug))
    if row.wanted != Wanted.RUNNING:
        raise Conflict(
            "tenant.not_running", f"Tenant `{row.slug}` is {row.state}; this needs its running agent", "deploy or start it first"
        )
    return row


async def ask(context: Context, actor: Actor, retry: RetryKey, action: str, id_or_slug: str, subject: str = "") -> Tenant:
    """An audit entry `action` on `subject` (the tenant itself, if none). A repeat with the same key is refused: no answer was kept."""
    row = running(context, id_or_slug)
    await issue(context, actor, retry, action, subject or row.id, row.id)
    return row


async def reset_devices(context: Context, actor: Actor, retry: RetryKey, id_or_slug: str) -> Tenant:
    """Also of a stopped tenant: its people are let go before it starts again."""
    row = context.database.read(lambda tx: tenants.get(tx, id_or_slug))
    if row.wanted not in (Wanted.RUNNING, Wanted.STOPPED):
        raise Conflict("tenant.not_deployed", f"Tenant `{row.slug}` is {row.state}: nobody is paired with it", "deploy it first")
    await issue(context, actor, retry, "device.reset", row.id, row.id)
    return row
