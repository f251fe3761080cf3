"""/api/loops: the worker's periodic tasks and their status."""

from typing import Annotated

from fastapi import APIRouter, Request

from zcplatform.core import live_messages
from zcplatform.core.roles import Permission
from zcplatform.web import health_shapes as shapes
from zcplatform.web.caller import Caller, reads
from zcplatform.web.worker_client import Worker

router = APIRouter(prefix="/api/loops", tags=["loops"])
TIMEOUT_S = 2.0


@router.get("", operation_id="listLoops", summary="List the worker's loops", response_model=shapes.Loops)
async def list_loops(request: Request, _: Annotated[Caller, reads(Permission.LOOP_READ)]) -> shapes.Loops:
    """Its periodic tasks, each with its last round. 503 when the worker does not answer."""
    worker: Worker = request.app.state.worker
    return shapes.Loops.model_validate({"items": (await worker.ask(live_messages.Loops(), TIMEOUT_S))["loops"]})
