"""/api/tenants/{tenant}/revisions: list, show, compare and roll back."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import revisions, settings_views
from zcplatform.ops.settings_views import RevisionView
from zcplatform.web import shapes
from zcplatform.web.base_revision import BaseRevision
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.config_shapes import RollBack
from zcplatform.web.tenants import ACCEPTED, Limit, request_change

router = APIRouter(prefix="/api/tenants/{tenant}/revisions", tags=["revisions"])
Number = Annotated[int, Path(ge=1, le=2**53, description="The revision's number")]
Reading = Annotated[Caller, reads(Permission.CONFIG_READ)]


@router.get("", operation_id="listRevisions", summary="List revisions", response_model=shapes.Revisions)
async def list_revisions(
    tenant: str,
    caller: Reading,
    cursor: Annotated[int | None, Query(ge=1, le=2**53, description="`next_cursor` of the page before")] = None,
    limit: Limit = 50,
) -> shapes.Revisions:
    """Newest first."""
    found, total = caller.read(lambda call: settings_views.list_revisions(call, tenant, cursor, limit + 1))
    items = [_revision(view) for view in found[:limit]]
    return shapes.Revisions(items=items, next_cursor=str(items[-1].number) if len(found) > limit else None, total=total)


@router.get("/{number}", operation_id="getRevision", summary="Show a revision", response_model=shapes.RevisionWhole)
async def show(tenant: str, number: Number, caller: Reading) -> shapes.RevisionWhole:
    """With its settings. Secrets are not part of a revision."""
    view, settings = caller.read(lambda call: settings_views.show_revision(call, tenant, number))
    return shapes.RevisionWhole(**_revision(view).model_dump(), settings=settings)


@router.get("/{number}/diff", operation_id="compareRevisions", summary="Compare two revisions", response_model=shapes.Diff)
async def diff(
    tenant: str,
    number: Number,
    caller: Reading,
    against: Annotated[
        int | None, Query(ge=0, le=2**53, description="The other revision; default: the one before; 0: empty settings")
    ] = None,
) -> shapes.Diff:
    """What changed from the other revision to this one."""
    compared, found = caller.read(lambda call: settings_views.compare_revisions(call, tenant, number, against))
    items = [shapes.Change(path=path, before=before, after=after) for path, (before, after) in found.items()]
    return shapes.Diff(revision=number, against=compared, changes=items)


@router.post("/{number}/rollback", operation_id="rollBackRevision", summary="Roll back to a revision", responses=ACCEPTED, status_code=202)
async def rollback(
    tenant: str,
    number: Number,
    caller: Annotated[Caller, changes(Permission.CONFIG_WRITE)],
    base: BaseRevision,
    sent: RollBack | None = None,
) -> Response:
    """Saves the settings of this revision again, as a new one. Send along secrets that it needs and that were deleted."""
    sent = sent or RollBack()
    given, note = {name: value.get_secret_value() for name, value in sent.secrets.items()}, sent.note
    return await request_change(caller, lambda call: revisions.roll_back(call, tenant, number, given, note), tenant, base)


def _revision(view: RevisionView) -> shapes.Revision:
    row = view.revision
    return shapes.Revision(
        number=row.number,
        author=row.author,
        note=row.note,
        created_at=row.created_at,
        is_current=view.is_current,
        outcome=row.outcome,  # type: ignore[arg-type]
        reason=row.reason,
    )
