"""Operations: a tenant's are shown to its members, the others to super-admins."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class OperationFilter:
    """Empty texts match all."""

    status: str = ""
    kind: str = ""


def list_of_tenant(call: Call, tenant: str, wanted: OperationFilter, before_id: str, limit: int) -> tuple[list[OperationView], int]:
    """Newest first, and how many match; `before_id` is the last id of the page before, or the empty text."""
    tenant_id = access.find(call.tx, tenant).id
    rows = operations.of_tenant(call.tx, tenant_id, before_id, limit, wanted.status, wanted.kind)
    return views.list_operations(call.tx, rows), operations.count_of_tenant(call.tx, tenant_id, wanted.status, wanted.kind)
