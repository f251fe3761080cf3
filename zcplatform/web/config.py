"""/api/tenants/{tenant}/config and …/secrets"""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import config as asking
from zcplatform.ops import context as ops
from zcplatform.ops import secrets
from zcplatform.ops.context import Actor
from zcplatform.ops.secrets import SecretState
from zcplatform.ops.tenants import get as get_tenant
from zcplatform.store import plans
from zcplatform.store.db import Tx, require
from zcplatform.web import config_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import ASKED, answer, as_json

router = APIRouter(prefix="/api/tenants/{tenant}", tags=["settings"])
Name = Annotated[str, Path(max_length=200)]


@router.get("/config", response_model=shapes.Config)
async def show(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.CONFIG_READ)]) -> shapes.Config:
    def load(tx: Tx) -> shapes.Config:
        row = get_tenant(tx, tenant)
        settings = asking.current(tx, row)
        return shapes.Config(
            revision=row.revision,
            settings=settings.model_dump(mode="json"),
            secrets=[_secret(actor, state) for state in secrets.states(tx, row.id, settings)],
            unpriced=asking.unpriced(context, require(plans.get(tx, row.plan)), settings),
        )

    return context.database.read(load)


@router.patch("/config", responses=ASKED)
async def change(
    tenant: str, sent: shapes.ConfigChange, context: ContextOf, actor: Annotated[Actor, needs(Permission.CONFIG_WRITE)], retry: RetryKeyOf
) -> Response:
    """Checked whole, then saved as a revision; a running tenant is brought to it by an operation."""
    given = {name: value.get_secret_value() for name, value in sent.secrets.items()}
    return as_json(
        await ops.change(
            context,
            actor,
            retry,
            lambda tx, at: answer(tx, context, *asking.patch(tx, context, actor, at, tenant, sent.settings, given, sent.note)),
        )
    )


@router.get("/secrets", response_model=shapes.Secrets)
async def listing(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.CONFIG_READ)]) -> shapes.Secrets:
    def load(tx: Tx) -> shapes.Secrets:
        row = get_tenant(tx, tenant)
        return shapes.Secrets(items=[_secret(actor, state) for state in secrets.states(tx, row.id, asking.current(tx, row))])

    return context.database.read(load)


@router.put("/secrets/{name}", responses=ASKED)
async def put(
    tenant: str,
    name: Name,
    sent: shapes.SecretInput,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.SECRET_WRITE, step_up=True)],
    retry: RetryKeyOf,
) -> Response:
    """Sealed for the worker; a running agent is started again with it."""
    value = sent.value.get_secret_value()
    return as_json(
        await ops.change(
            context, actor, retry, lambda tx, at: answer(tx, context, *asking.set_secret(tx, context, actor, at, tenant, name, value))
        )
    )


@router.delete("/secrets/{name}", responses=ASKED)
async def remove(
    tenant: str, name: Name, context: ContextOf, actor: Annotated[Actor, needs(Permission.SECRET_WRITE, step_up=True)], retry: RetryKeyOf
) -> Response:
    """Refused while the settings need it."""
    return as_json(
        await ops.change(context, actor, retry, lambda tx, at: answer(tx, context, *asking.remove_secret(tx, actor, at, tenant, name)))
    )


def _secret(actor: Actor, state: SecretState) -> shapes.SecretPlace:
    return shapes.SecretPlace(
        name=state.slot.name,
        host=state.slot.binding,
        is_needed=state.slot.is_needed,
        is_stored=state.is_stored,
        error=state.error,
        updated_at=state.updated_at,
        hint=state.hint if actor.may(Permission.SECRET_WRITE) else None,
    )
