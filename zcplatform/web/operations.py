"""/api/operations"""

from typing import Annotated

from fastapi import APIRouter

from zcplatform.core.roles import Permission
from zcplatform.ops import operations as asking
from zcplatform.ops.desk import Actor
from zcplatform.web import shape, shapes
from zcplatform.web.actor import DeskOf, needs

router = APIRouter(prefix="/api/operations", tags=["operations"])


@router.get("/{operation}", response_model=shapes.Operation)
async def show(operation: str, desk: DeskOf, actor: Annotated[Actor, needs(Permission.OPERATION_READ)]) -> shapes.Operation:
    return desk.database.read(lambda tx: shape.operation(tx, asking.get(tx, actor, operation)))
