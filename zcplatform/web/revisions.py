"""/api/tenants/{tenant}/revisions"""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Tenant
from zcplatform.ops import context as ops
from zcplatform.ops import revisions as asking
from zcplatform.ops.context import Actor
from zcplatform.ops.tenants import get as get_tenant
from zcplatform.store import revisions as rows
from zcplatform.store.db import Tx
from zcplatform.store.revisions import Revision
from zcplatform.web import shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.config_shapes import RollBack
from zcplatform.web.tenants import ASKED, Limit, answer, as_json

router = APIRouter(prefix="/api/tenants/{tenant}/revisions", tags=["revisions"])
Number = Annotated[int, Path(ge=1, le=2**53)]


@router.get("", response_model=shapes.Revisions)
async def listing(
    tenant: str,
    context: ContextOf,
    _: Annotated[Actor, needs(Permission.CONFIG_READ)],
    cursor: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Limit = 50,
) -> shapes.Revisions:
    def load(tx: Tx) -> shapes.Revisions:
        row = get_tenant(tx, tenant)
        found = rows.of_tenant(tx, row.id, cursor, limit)
        return shapes.Revisions(
            items=[_shape(row, revision) for revision in found], next_cursor=str(found[-1].number) if len(found) == limit else None
        )

    return context.database.read(load)


@router.get("/{number}", response_model=shapes.RevisionWhole)
async def show(tenant: str, number: Number, context: ContextOf, _: Annotated[Actor, needs(Permission.CONFIG_READ)]) -> shapes.RevisionWhole:
    def load(tx: Tx) -> shapes.RevisionWhole:
        row = get_tenant(tx, tenant)
        revision = asking.get(tx, row, number)
        return shapes.RevisionWhole(**_shape(row, revision).model_dump(), settings=asking.settings(revision))

    return context.database.read(load)


@router.get("/{number}/diff", response_model=shapes.Diff)
async def diff(
    tenant: str,
    number: Number,
    context: ContextOf,
    _: Annotated[Actor, needs(Permission.CONFIG_READ)],
    against: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> shapes.Diff:
    """What changed since the revision before, or since the one named by `against` (0: since nothing)."""

    def load(tx: Tx) -> shapes.Diff:
        compared, changes = asking.against(tx, get_tenant(tx, tenant), number, against)
        return shapes.Diff(
            revision=number,
            against=compared,
            changes=[shapes.Change(path=path, before=before, after=after) for path, (before, after) in changes.items()],
        )

    return context.database.read(load)


@router.post("/{number}/rollback", responses=ASKED, status_code=202)
async def rollback(
    tenant: str,
    number: Number,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.CONFIG_WRITE)],
    retry: RetryKeyOf,
    sent: RollBack | None = None,
) -> Response:
    """Save the settings of this revision again, as a new one. Secrets it needs that are gone by now may come along."""
    sent = sent or RollBack()
    given, note = {name: value.get_secret_value() for name, value in sent.secrets.items()}, sent.note

    def save(tx: Tx, at: str) -> ops.Answer:
        return answer(tx, context, *asking.roll_back(tx, context, actor, at, tenant, number, given, note))

    return as_json(await ops.change(context, actor, retry, save))


def _shape(tenant: Tenant, revision: Revision) -> shapes.Revision:
    return shapes.Revision(
        number=revision.number,
        author=revision.author,
        note=revision.note,
        created_at=revision.created_at,
        is_current=revision.number == tenant.revision,
        outcome=revision.outcome,  # type: ignore[arg-type]
        reason=revision.reason,
    )
