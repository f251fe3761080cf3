"""/api/plans: list plans and change their limits."""

import json
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import plans
from zcplatform.ops.context import Call, Outcome
from zcplatform.ops.views import Plan, PlanView
from zcplatform.web import people_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, changes, reads

router = APIRouter(prefix="/api/plans", tags=["plans"])


def _plan(row: Plan) -> shapes.Plan:
    fields = {name: value for name, value in row.__dict__.items() if name != "position"}
    return shapes.Plan(**{**fields, "excluded_tools": json.loads(row.excluded_tools)})


@router.get("", operation_id="listPlans", summary="List plans", response_model=shapes.Plans)
async def list_plans(caller: Annotated[Caller, reads(Permission.PLAN_READ)]) -> shapes.Plans:
    """The plans of this installation, smallest first."""
    return shapes.Plans(items=[_plan(row) for row in caller.read(plans.list_plans)])


@router.patch("/{plan}", operation_id="updatePlan", summary="Change a plan's limits", response_model=shapes.Plan)
async def change(plan: str, sent: shapes.PlanChange, caller: Annotated[Caller, changes(Permission.PLAN_MANAGE)]) -> Response:
    """Only the fields that are sent change. Running agents of this plan whose container limits changed are restarted."""

    def act(call: Call) -> Outcome[PlanView]:
        return Outcome(PlanView(plans.change(call, plan, sent.model_dump(exclude_none=True))), wake="")

    return render.respond(_plan((await caller.change(act)).plan))
