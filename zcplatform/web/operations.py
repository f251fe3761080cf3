"""/api/operations: follow one operation."""

from typing import Annotated

from fastapi import APIRouter

from zcplatform.core.roles import Permission
from zcplatform.ops import operations
from zcplatform.web import render, shapes
from zcplatform.web.caller import Caller, reads

router = APIRouter(prefix="/api/operations", tags=["operations"])


@router.get("/{operation}", operation_id="getOperation", summary="Show an operation", response_model=shapes.Operation)
async def show(operation: str, caller: Annotated[Caller, reads(Permission.OPERATION_READ)]) -> shapes.Operation:
    """Its status, its steps, and the error where it failed."""
    return render.operation(caller.read(lambda call: operations.get(call, operation)))
