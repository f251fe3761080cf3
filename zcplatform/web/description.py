"""/api/openapi.json: the description of this API, for people who are signed in."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from zcplatform.web.actor import ActorOf

router = APIRouter(tags=["description"])


@router.get("/api/openapi.json", include_in_schema=False)
async def describe(request: Request, _: ActorOf) -> JSONResponse:
    return JSONResponse(request.app.openapi())
