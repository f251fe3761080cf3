"""/api/tenants/{tenant}/config and …/secrets: an agent's settings and the secrets they need."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import config, settings_views
from zcplatform.ops.settings_views import SecretView
from zcplatform.web import config_shapes as shapes
from zcplatform.web.base_revision import BaseRevision, etag
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.tenants import ACCEPTED, request_change

router = APIRouter(prefix="/api/tenants/{tenant}", tags=["settings"])
Name = Annotated[str, Path(max_length=200, description="The secret's name, as `GET …/secrets` lists it")]
Reading = Annotated[Caller, reads(Permission.CONFIG_READ)]
Setting = Annotated[Caller, changes(Permission.SECRET_WRITE, step_up=True)]


def _secret(view: SecretView) -> shapes.SecretPlace:
    return shapes.SecretPlace(**view.__dict__)


@router.get("/config", operation_id="getConfig", summary="Show the settings", response_model=shapes.Config)
async def show(tenant: str, caller: Reading, response: Response) -> shapes.Config:
    """Everything that can be set, with defaults, and the secrets that these settings have a place for. The ETag names the revision."""
    view = caller.read(lambda call: settings_views.show_config(call, tenant))
    response.headers["ETag"] = etag(view.revision)
    return shapes.Config(
        revision=view.revision, settings=view.settings, secrets=[_secret(each) for each in view.secrets], unpriced=view.unpriced
    )


@router.patch("/config", operation_id="updateConfig", summary="Change the settings", responses=ACCEPTED)
async def change(
    tenant: str, sent: shapes.ConfigChange, caller: Annotated[Caller, changes(Permission.CONFIG_WRITE)], base: BaseRevision
) -> Response:
    """The whole settings are validated, then saved as a new revision. An operation applies it to a running tenant.

    With `If-Match`, a change that starts from an older revision is rejected (412) and shows what changed meanwhile.
    """
    given = {name: value.get_secret_value() for name, value in sent.secrets.items()}
    return await request_change(caller, lambda call: config.patch(call, tenant, sent.settings, given, sent.note), tenant, base)


@router.get("/secrets", operation_id="listSecrets", summary="List the secrets", response_model=shapes.Secrets)
async def list_secrets(tenant: str, caller: Reading) -> shapes.Secrets:
    """The secrets that the settings have a place for, and which of them are stored. Values are never returned."""
    return shapes.Secrets(items=[_secret(view) for view in caller.read(lambda call: settings_views.list_secrets(call, tenant))])


@router.put("/secrets/{name}", operation_id="setSecret", summary="Set a secret", responses=ACCEPTED)
async def put(tenant: str, name: Name, sent: shapes.SecretInput, caller: Setting) -> Response:
    """Sealed so that only the worker can read it, and bound to the host it is for. A running agent is restarted with it."""
    value = sent.value.get_secret_value()
    return await request_change(caller, lambda call: config.set_secret(call, tenant, name, value))


@router.delete("/secrets/{name}", operation_id="removeSecret", summary="Remove a secret", responses=ACCEPTED)
async def remove(tenant: str, name: Name, caller: Setting) -> Response:
    """A secret that the settings need cannot be removed."""
    return await request_change(caller, lambda call: config.remove_secret(call, tenant, name))
