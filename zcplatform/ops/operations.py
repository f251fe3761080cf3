"""Operations: a tenant's are shown to its members, the others to super-admins."""

from zcplatform.core.roles import Permission
from zcplatform.errors import NotFound
from zcplatform.ops import access, views
from zcplatform.ops.context import Call
from zcplatform.ops.views import OperationView
from zcplatform.store import operations


def get(call: Call, operation_id: str) -> OperationView:
    row = operations.get(call.tx, operation_id)
    if row is None or not access.sees(call.tx, call.actor, row.tenant_id, Permission.OPERATION_READ):
        raise NotFound(
            "operation.unknown", f"There is no operation `{operation_id[:80]}`", "GET /api/tenants/{tenant}/operations lists a tenant's"
        )
    return views.operation(call.tx, row)


def list_of_tenant(call: Call, tenant: str, before_id: str, limit: int) -> list[OperationView]:
    """Newest first; `before_id` is the last id of the page before, or the empty text."""
    return views.list_operations(call.tx, operations.of_tenant(call.tx, access.find(call.tx, tenant).id, before_id, limit))
