"""/api/openapi.json: the description of this API, for people who are signed in."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from zcplatform.core.roles import Permission
from zcplatform.ops.context import Actor
from zcplatform.web.actor import needs

router = APIRouter(tags=["description"])


@router.get("/api/openapi.json", include_in_schema=False)
async def describe(request: Request, _: Annotated[Actor, needs(Permission.SELF_MANAGE)]) -> JSONResponse:
    return JSONResponse(request.app.openapi())
