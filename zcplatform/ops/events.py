"""Events that the caller may see, in the order of their commits."""

from zcplatform.ops import access
from zcplatform.ops.context import Call, Caller
from zcplatform.store import events
from zcplatform.store.events import BATCH
from zcplatform.store.events import Event as Event


def newest_id(call: Call) -> int:
    return events.newest_id(call.tx)


def after(call: Call, last_id: int) -> tuple[list[Event], int]:
    """Those after `last_id`, and the id to continue from. Raises when the caller's rights have changed."""
    access.confirm(call.tx, call.actor, call.at)
    newest = events.newest_id(call.tx)
    found = events.after(call.tx, last_id, call.actor.visibility, tenant_id=call.actor.tenant_id)
    return found, found[-1].id if len(found) == BATCH else newest


def narrowed(caller: Caller, tenant: str) -> Caller:
    """The caller in one tenant (id or slug). Raises what `access.permit` raises."""
    needed = caller.actor.needed
    if needed is None:
        return caller
    actor = caller.read(lambda call: access.permit(call.tx, caller.actor, needed, tenant, call.at))
    return Caller(caller.context, actor, caller.retry)
