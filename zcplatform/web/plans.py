"""/api/plans"""

import json
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import context as ops
from zcplatform.ops import plans as asking
from zcplatform.ops.context import Actor, Answer
from zcplatform.store import plans as rows
from zcplatform.store.db import Tx
from zcplatform.web import people_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import as_json

router = APIRouter(prefix="/api/plans", tags=["plans"])


def _shape(row: rows.Plan) -> shapes.Plan:
    told = {name: value for name, value in row.__dict__.items() if name != "position"}
    return shapes.Plan(**{**told, "excluded_tools": json.loads(row.excluded_tools)})


@router.get("", response_model=shapes.Plans)
async def listing(context: ContextOf, _: Annotated[Actor, needs(Permission.PLAN_READ)]) -> shapes.Plans:
    return shapes.Plans(items=[_shape(row) for row in context.database.read(rows.everything)])


@router.patch("/{plan}", response_model=shapes.Plan)
async def change(
    plan: str, sent: shapes.PlanChange, context: ContextOf, actor: Annotated[Actor, needs(Permission.PLAN_MANAGE)], retry: RetryKeyOf
) -> Response:
    """Edit its numbers. Running agents of this plan are started again where a limit of their container changed."""

    def act(tx: Tx, at: str) -> Answer:
        return Answer(200, _shape(asking.change(tx, actor, at, plan, sent.model_dump(exclude_none=True))).model_dump_json(), "")

    return as_json(await ops.change(context, actor, retry, act))
