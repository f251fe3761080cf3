"""/api/tenants/{tenant}/drift"""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import context as ops
from zcplatform.ops import drift as asking
from zcplatform.ops.context import Actor
from zcplatform.ops.tenants import get as get_tenant
from zcplatform.store.db import Tx
from zcplatform.web import config_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import ASKED, answer, as_json

router = APIRouter(prefix="/api/tenants/{tenant}/drift", tags=["settings"])
Write = Annotated[Actor, needs(Permission.CONFIG_WRITE)]


@router.get("", response_model=shapes.Drift)
async def show(tenant: str, context: ContextOf, _: Annotated[Actor, needs(Permission.CONFIG_READ)]) -> shapes.Drift:
    def load(tx: Tx) -> shapes.Drift:
        found = asking.get(tx, get_tenant(tx, tenant))
        if found is None:
            return shapes.Drift(revision=None, found_at=None, changes=[])
        changes = [
            shapes.DriftChange(path=path, rendered=rendered, found=now, can_be_kept=path in found.keepable)
            for path, (rendered, now) in sorted(found.changes.items())
        ]
        return shapes.Drift(revision=found.drift.revision, found_at=found.drift.found_at, changes=changes)

    return context.database.read(load)


@router.post("/keep", responses=ASKED)
async def keep(tenant: str, context: ContextOf, actor: Write, retry: RetryKeyOf) -> Response:
    """Save as a revision what the settings have a place for."""
    return as_json(
        await ops.change(context, actor, retry, lambda tx, at: answer(tx, context, *asking.keep(tx, context, actor, at, tenant)))
    )


@router.post("/discard", responses=ASKED)
async def discard(tenant: str, context: ContextOf, actor: Write, retry: RetryKeyOf) -> Response:
    """Write the file anew; a running agent is started again."""
    return as_json(
        await ops.change(context, actor, retry, lambda tx, at: answer(tx, context, *asking.discard(tx, context, actor, at, tenant)))
    )
