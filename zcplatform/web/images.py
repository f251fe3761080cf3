"""/api/images"""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import context as ops
from zcplatform.ops import images as asking
from zcplatform.ops.context import Actor, Answer
from zcplatform.store import images as image_rows
from zcplatform.store.db import Tx
from zcplatform.web import render, shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs

router = APIRouter(prefix="/api/images", tags=["images"])
ASKED: dict[int | str, dict[str, Any]] = {202: {"model": shapes.Operation, "description": "Accepted: the operation tells how it goes"}}


def _json(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {"Cache-Control": "no-store"}, "application/json")


@router.get("", response_model=shapes.Images)
async def listing(context: ContextOf, _: Annotated[Actor, needs(Permission.IMAGE_READ)]) -> shapes.Images:
    return context.database.read(lambda tx: shapes.Images(items=[render.image(row) for row in image_rows.everything(tx)]))


@router.post("", responses=ASKED, status_code=202)
async def prepare(
    sent: shapes.ImageInput, context: ContextOf, actor: Annotated[Actor, needs(Permission.IMAGE_MANAGE)], retry: RetryKeyOf
) -> Response:
    wish = asking.Wish(sent.source, sent.reference, sent.binary, sent.make_default)

    def act(tx: Tx, at: str) -> Answer:
        return Answer(202, render.operation(tx, asking.prepare(tx, context, actor, at, wish)).model_dump_json(), "")

    return _json(await ops.change(context, actor, retry, act))


@router.post("/{image:path}/preflight", status_code=202, response_model=shapes.Operation)
async def preflight(image: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.IMAGE_MANAGE)], retry: RetryKeyOf) -> Response:
    """Would each tenant's configuration be accepted by this image? The operation's `result` tells; nothing that runs is touched."""

    def act(tx: Tx, at: str) -> Answer:
        return Answer(202, render.operation(tx, asking.preflight(tx, actor, at, image)).model_dump_json(), "")

    return _json(await ops.change(context, actor, retry, act))


@router.delete("/{image:path}", status_code=202, response_model=shapes.Operation)
async def remove(image: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.IMAGE_MANAGE)], retry: RetryKeyOf) -> Response:
    def act(tx: Tx, at: str) -> Answer:
        return Answer(202, render.operation(tx, asking.remove(tx, actor, at, image)[1]).model_dump_json(), "")

    return _json(await ops.change(context, actor, retry, act))
