"""/api/operations"""

from typing import Annotated

from fastapi import APIRouter

from zcplatform.core.roles import Permission
from zcplatform.ops import operations as asking
from zcplatform.ops.context import Actor
from zcplatform.web import render, shapes
from zcplatform.web.actor import ContextOf, needs

router = APIRouter(prefix="/api/operations", tags=["operations"])


@router.get("/{operation}", response_model=shapes.Operation)
async def show(operation: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.OPERATION_READ)]) -> shapes.Operation:
    return context.database.read(lambda tx: render.operation(tx, asking.get(tx, actor, operation)))
