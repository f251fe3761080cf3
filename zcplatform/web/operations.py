"""/api/operations"""

from fastapi import APIRouter

from zcplatform.errors import NotFound
from zcplatform.store import operations as operation_rows
from zcplatform.store.db import Tx
from zcplatform.web import shape, shapes
from zcplatform.web.actor import ActorOf, DeskOf

router = APIRouter(prefix="/api/operations", tags=["operations"])


@router.get("/{operation}", response_model=shapes.Operation)
async def show(operation: str, desk: DeskOf, _: ActorOf) -> shapes.Operation:
    def load(tx: Tx) -> shapes.Operation:
        row = operation_rows.get(tx, operation)
        if row is None:
            raise NotFound(
                "operation.unknown", f"There is no operation `{operation[:80]}`", "GET /api/tenants/{id}/operations lists a tenant's"
            )
        return shape.operation(tx, row)

    return desk.database.read(load)
