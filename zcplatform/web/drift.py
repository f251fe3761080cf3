"""/api/tenants/{tenant}/drift: changes in an agent's own file, and what becomes of them."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import drift, settings_views
from zcplatform.web import config_shapes as shapes
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.tenants import ACCEPTED, request_change

router = APIRouter(prefix="/api/tenants/{tenant}/drift", tags=["settings"])
Writing = Annotated[Caller, changes(Permission.CONFIG_WRITE)]


@router.get("", operation_id="getDrift", summary="Show drift", response_model=shapes.Drift)
async def show(tenant: str, caller: Annotated[Caller, reads(Permission.CONFIG_READ)]) -> shapes.Drift:
    """Changes that the agent or a person made in the agent's own configuration file since it was rendered."""
    view = caller.read(lambda call: settings_views.show_drift(call, tenant))
    if view is None:
        return shapes.Drift(revision=None, found_at=None, changes=[])
    found = [shapes.DriftChange(path=path, rendered=old, found=new, can_be_kept=keepable) for path, old, new, keepable in view.changes]
    return shapes.Drift(revision=view.revision, found_at=view.found_at, changes=found)


@router.post("/keep", operation_id="keepDrift", summary="Keep drift", responses=ACCEPTED)
async def keep(tenant: str, caller: Writing) -> Response:
    """Saves the changes that the settings have a place for as a new revision."""
    return await request_change(caller, lambda call: drift.keep(call, tenant))


@router.post("/discard", operation_id="discardDrift", summary="Discard drift", responses=ACCEPTED)
async def discard(tenant: str, caller: Writing) -> Response:
    """Renders the file again. A running agent is restarted."""
    return await request_change(caller, lambda call: drift.discard(call, tenant))
