"""/api/tenants/{tenant}/channels"""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response

from zcplatform.agent.channels import types
from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Tenant
from zcplatform.ops import channels as asking
from zcplatform.ops import config, secrets
from zcplatform.ops import context as ops
from zcplatform.ops.context import Actor
from zcplatform.ops.tenants import get as get_tenant
from zcplatform.store import plans
from zcplatform.store.db import Tx, require
from zcplatform.web import config_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import ASKED, answer, as_json

router = APIRouter(prefix="/api/tenants/{tenant}/channels", tags=["channels"])
Name = Annotated[str, Path(max_length=80, description="type.alias")]
Write = Annotated[Actor, needs(Permission.CHANNEL_WRITE)]


@router.get("", response_model=shapes.Channels)
async def listing(tenant: str, context: ContextOf, _: Annotated[Actor, needs(Permission.CHANNEL_READ)]) -> shapes.Channels:
    def load(tx: Tx) -> shapes.Channels:
        row = get_tenant(tx, tenant)
        return shapes.Channels(items=_channels(tx, row), most=require(plans.get(tx, row.plan)).channels)

    return context.database.read(load)


@router.post("", responses=ASKED)
async def add(tenant: str, sent: shapes.ChannelInput, context: ContextOf, actor: Write, retry: RetryKeyOf) -> Response:
    given = _given(sent)
    return as_json(
        await ops.change(
            context,
            actor,
            retry,
            lambda tx, at: answer(tx, context, *asking.add(tx, context, actor, at, tenant, sent.type, sent.alias, _sent(sent), given)),
        )
    )


@router.patch("/{channel}", responses=ASKED)
async def change(tenant: str, channel: Name, sent: shapes.ChannelChange, context: ContextOf, actor: Write, retry: RetryKeyOf) -> Response:
    given = _given(sent)
    return as_json(
        await ops.change(
            context,
            actor,
            retry,
            lambda tx, at: answer(tx, context, *asking.change(tx, context, actor, at, tenant, channel, _sent(sent), given)),
        )
    )


@router.delete("/{channel}", responses=ASKED)
async def remove(tenant: str, channel: Name, context: ContextOf, actor: Write, retry: RetryKeyOf) -> Response:
    return as_json(
        await ops.change(context, actor, retry, lambda tx, at: answer(tx, context, *asking.remove(tx, context, actor, at, tenant, channel)))
    )


def _sent(sent: shapes.ChannelChange) -> dict[str, Any]:
    return sent.model_dump(include={"enabled", "peers", "ignored", "options"}, exclude_none=True)


def _given(sent: shapes.ChannelChange) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in sent.secrets.items()}


def _channels(tx: Tx, row: Tenant) -> list[shapes.Channel]:
    settings = config.current(tx, row)
    there = {state.slot.name: state.is_stored for state in secrets.states(tx, row.id, settings)}
    return [
        shapes.Channel(
            name=name,
            type=name.partition(".")[0],
            alias=name.partition(".")[2],
            label=types()[name.partition(".")[0]].label,
            **channel.model_dump(mode="json"),
            secrets={place.removeprefix(f"channels.{name}."): has for place, has in there.items() if place.startswith(f"channels.{name}.")},
        )
        for name, channel in settings.channels.items()
    ]
