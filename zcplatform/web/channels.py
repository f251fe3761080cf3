"""/api/tenants/{tenant}/channels: list, add, change and remove channels."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import channels, settings_views
from zcplatform.ops.settings_views import ChannelView
from zcplatform.web import config_shapes as shapes
from zcplatform.web.base_revision import BaseRevision
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.tenants import ACCEPTED, request_change

router = APIRouter(prefix="/api/tenants/{tenant}/channels", tags=["channels"])
Name = Annotated[str, Path(max_length=80, description="`type.alias`")]
Writing = Annotated[Caller, changes(Permission.CHANNEL_WRITE)]


@router.get("", operation_id="listChannels", summary="List channels", response_model=shapes.Channels)
async def list_channels(tenant: str, caller: Annotated[Caller, reads(Permission.CHANNEL_READ)]) -> shapes.Channels:
    """The channels of the settings, and how many the plan allows."""
    found, most = caller.read(lambda call: settings_views.list_channels(call, tenant))
    return shapes.Channels(items=[_channel(view) for view in found], most=most)


@router.post("", operation_id="addChannel", summary="Add a channel", responses=ACCEPTED)
async def add(tenant: str, sent: shapes.ChannelInput, caller: Writing, base: BaseRevision) -> Response:
    """Saved as a new revision of the settings. An operation applies it to a running tenant."""
    given, fields = _given(sent), _sent(sent)
    return await request_change(caller, lambda call: channels.add(call, tenant, sent.type, sent.alias, fields, given), tenant, base)


@router.patch("/{channel}", operation_id="updateChannel", summary="Change a channel", responses=ACCEPTED)
async def change(tenant: str, channel: Name, sent: shapes.ChannelChange, caller: Writing, base: BaseRevision) -> Response:
    """Only the fields that are sent change. Saved as a new revision of the settings."""
    given, fields = _given(sent), _sent(sent)
    return await request_change(caller, lambda call: channels.change(call, tenant, channel, fields, given), tenant, base)


@router.delete("/{channel}", operation_id="removeChannel", summary="Remove a channel", responses=ACCEPTED)
async def remove(tenant: str, channel: Name, caller: Writing, base: BaseRevision) -> Response:
    """Its secrets are deleted once the agent is healthy without it."""
    return await request_change(caller, lambda call: channels.remove(call, tenant, channel), tenant, base)


def _sent(sent: shapes.ChannelChange) -> dict[str, Any]:
    return sent.model_dump(include={"enabled", "peers", "ignored", "options"}, exclude_none=True)


def _given(sent: shapes.ChannelChange) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in sent.secrets.items()}


def _channel(view: ChannelView) -> shapes.Channel:
    kind, _, alias = view.name.partition(".")
    return shapes.Channel(
        name=view.name, type=kind, alias=alias, label=view.label, secrets=view.secrets, webhook_url=view.webhook_url, **view.settings
    )
