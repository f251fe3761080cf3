"""/api/images: list, add, check and remove agent images."""

from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import images
from zcplatform.web import render, shapes
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.lists import ListQueryOf, page
from zcplatform.web.shapes import ImageStatus

router = APIRouter(prefix="/api/images", tags=["images"])
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": shapes.Operation, "description": "Accepted; follow the operation"}}
Managing = Annotated[Caller, changes(Permission.IMAGE_MANAGE)]


@router.get("", operation_id="listImages", summary="List images", response_model=shapes.Images)
async def list_images(
    caller: Annotated[Caller, reads(Permission.IMAGE_READ)],
    query: ListQueryOf,
    status: Annotated[ImageStatus | None, Query(description="Only images with this status")] = None,
) -> shapes.Images:
    """The agent images that tenants can run. Sort by created_at (the default), reference, status or agent_version."""
    rows = [row for row in caller.read(images.list_images) if status in (None, row.status)]
    keys = {name: attrgetter(name) for name in ("created_at", "reference", "status", "agent_version")}
    found = page(rows, query, keys, attrgetter("id"))
    return shapes.Images(items=[render.image(row) for row in found.items], next_cursor=found.next_cursor, total=found.total)


@router.post("", operation_id="addImage", summary="Add an image", responses=ACCEPTED, status_code=202)
async def prepare(sent: shapes.ImageInput, caller: Managing) -> Response:
    """Pulls an image, builds one from an installed `zeroclaw` program, or builds that of the demo agent. The operation's `result` names the image."""
    new = images.NewImage(sent.source, sent.reference, sent.binary, sent.make_default)
    return render.accepted_operation(await caller.change(lambda call: images.prepare(call, new)))


@router.post(
    "/{image:path}/preflight",
    operation_id="preflightImage",
    summary="Check all tenants against an image",
    responses=ACCEPTED,
    status_code=202,
)
async def preflight(image: str, caller: Managing) -> Response:
    """Asks the image whether it accepts each tenant's configuration. Running agents are not touched; the operation's `result` has the answer."""
    return render.accepted_operation(await caller.change(lambda call: images.preflight(call, image)))


@router.delete("/{image:path}", operation_id="removeImage", summary="Remove an image", responses=ACCEPTED, status_code=202)
async def remove(image: str, caller: Managing) -> Response:
    """An image that a tenant uses, or would be rolled back to, cannot be removed."""
    return render.accepted_operation(await caller.change(lambda call: images.remove(call, image)))
