"""/api/loops: what the worker does periodically, and how it goes."""

from typing import Annotated

from fastapi import APIRouter, Request

from zcplatform.core.roles import Permission
from zcplatform.ops.context import Actor
from zcplatform.web import health_shapes as shapes
from zcplatform.web.actor import needs
from zcplatform.web.live import Worker

router = APIRouter(prefix="/api/loops", tags=["loops"])
TIMEOUT_S = 2.0


@router.get("", response_model=shapes.Loops)
async def listing(request: Request, _: Annotated[Actor, needs(Permission.LOOP_READ)]) -> shapes.Loops:
    """List the worker's periodic tasks with their last round. 503 when the worker does not answer."""
    worker: Worker = request.app.state.worker
    return shapes.Loops.model_validate({"items": (await worker.ask("loops", TIMEOUT_S))["loops"]})
