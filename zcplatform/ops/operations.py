"""What may be asked of operations: those of a tenant by its members, the others by who looks after the installation."""

from zcplatform.core.roles import Permission
from zcplatform.errors import NotFound
from zcplatform.ops import access
from zcplatform.ops.actor import Actor
from zcplatform.store import operations
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation


def get(tx: Tx, actor: Actor, operation_id: str) -> Operation:
    found = operations.get(tx, operation_id)
    if found is None or not access.sees(tx, actor, found.tenant_id, Permission.OPERATION_READ):
        raise NotFound(
            "operation.unknown", f"There is no operation `{operation_id[:80]}`", "GET /api/tenants/{id}/operations lists a tenant's"
        )
    return found
