"""/api/openapi.json: the OpenAPI document of this API, for signed-in callers."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from zcplatform.core.roles import Permission
from zcplatform.web.caller import Caller, reads

router = APIRouter(tags=["openapi"])


@router.get("/api/openapi.json", include_in_schema=False)
async def show(request: Request, _: Annotated[Caller, reads(Permission.SELF_MANAGE)]) -> JSONResponse:
    return JSONResponse(request.app.openapi())
