"""/api/tenants/{tenant}/: pairing codes, devices, messages, logs and the health of channels: live requests that only the worker can answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime

from zcplatform import clock
from zcplatform.core import live_messages
from zcplatform.core.roles import Permission
from zcplatform.errors import PlatformError
from zcplatform.ops import agents, tenants
from zcplatform.web import agent_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.events import HEADERS
from zcplatform.web.streams import OpeningOf, StreamKind
from zcplatform.web.watching import while_permitted
from zcplatform.web.worker_client import Worker

router = APIRouter(prefix="/api/tenants", tags=["agents"])
ASK_S = 12.0
RESET_S = 60.0
MESSAGE_S = 130.0
"""Longer than the worker waits for the agent, so that the worker's error is shown."""
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Bounds that leave room for adding a time zone."""
DeviceId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$", description="The device's id.")]
Managing = Annotated[Caller, changes(Permission.DEVICE_MANAGE)]


def worker_of(request: Request) -> Worker:
    return request.app.state.worker  # type: ignore[no-any-return]


@router.post("/{tenant}/pairing-code", operation_id="createPairingCode", summary="Create a pairing code", response_model=shapes.PairingCode)
async def pairing_code(tenant: str, request: Request, caller: Annotated[Caller, changes(Permission.PAIRING_READ)]) -> shapes.PairingCode:
    """Pairs one device with the agent. The code replaces a pending one and is shown only once; a retry creates a new one."""
    row = await agents.request(caller, "pairing.issue", tenant)
    answer = await worker_of(request).ask(live_messages.PairingCode(row.id), ASK_S)
    url = render.url(caller.context.settings, row.slug)
    return shapes.PairingCode(code=answer["code"], expires_at=answer["expires_at"], url=url)


@router.get("/{tenant}/devices", operation_id="listDevices", summary="List paired devices", response_model=shapes.Devices)
async def devices(tenant: str, request: Request, caller: Annotated[Caller, reads(Permission.DEVICE_READ)]) -> shapes.Devices:
    """The devices that are paired with the agent, as the agent reports them."""
    answer = await worker_of(request).ask(live_messages.Devices(agents.require_running(caller, tenant).id), ASK_S)
    return shapes.Devices.model_validate({"items": answer["devices"]})


@router.delete(
    "/{tenant}/devices/{device}", operation_id="revokeDevice", summary="Revoke a device", status_code=204, response_class=Response
)
async def revoke(tenant: str, device: DeviceId, request: Request, caller: Managing) -> None:
    """Its token is no longer accepted."""
    row = await agents.request(caller, "device.revoke", tenant, device)
    await worker_of(request).ask(live_messages.DeviceRevoke(row.id, device), ASK_S)


@router.delete("/{tenant}/devices", operation_id="resetDevices", summary="Revoke all devices", response_model=shapes.DevicesReset)
async def reset(tenant: str, request: Request, caller: Managing) -> shapes.DevicesReset:
    """Revokes every device. An agent that keeps one is restarted without it."""
    row = await agents.reset_devices(caller, tenant)
    answer = await worker_of(request).ask(live_messages.DevicesReset(row.id), RESET_S)
    return shapes.DevicesReset(restarts=answer["restarts"])


@router.post("/{tenant}/messages", operation_id="sendMessage", summary="Send a message to the agent", response_model=shapes.Reply)
async def message(
    tenant: str, sent: shapes.MessageInput, request: Request, caller: Annotated[Caller, changes(Permission.MESSAGE_SEND)]
) -> shapes.Reply:
    """Returns the agent's reply. Neither is stored or logged; the audit log shows that a message was sent."""
    row = await agents.request(caller, "message.send", tenant)
    answer = await worker_of(request).ask(live_messages.Message(row.id, sent.text), MESSAGE_S)
    return shapes.Reply(text=answer["text"], model=answer["model"])


@router.get(
    "/{tenant}/channels/health",
    operation_id="getChannelsHealth",
    summary="Show the health of channels",
    response_model=shapes.ChannelsHealth,
)
async def channels(tenant: str, request: Request, caller: Annotated[Caller, reads(Permission.CHANNEL_READ)]) -> shapes.ChannelsHealth:
    """What the running agent reports about each of its channels."""
    answer = await worker_of(request).ask(live_messages.Channels(agents.require_running(caller, tenant).id), ASK_S)
    return shapes.ChannelsHealth.model_validate({"items": answer["channels"]})


@dataclass(frozen=True)
class LogQuery:
    tail: Annotated[int, Query(ge=0, le=10_000, description="How many of the last lines")] = 100
    since: Annotated[AwareDatetime | None, Query(description="RFC 3339 time; lines from then on", ge=EARLIEST, le=LATEST)] = None
    follow: Annotated[bool, Query(description="Continue with new output")] = False
    timestamps: Annotated[bool, Query(description="Each line begins with its time")] = False


@router.get("/{tenant}/logs", operation_id="streamLogs", summary="Show or follow an agent's logs", response_class=StreamingResponse)
async def logs(
    tenant: str,
    request: Request,
    caller: Annotated[Caller, reads(Permission.LOGS_READ)],
    opening: OpeningOf,
    wanted: Annotated[LogQuery, Depends()],
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> StreamingResponse:
    """The agent's output as text or, with `Accept: text/event-stream`, as server-sent events."""
    opening.count(StreamKind.LOGS, caller.actor)
    row = caller.read(lambda call: tenants.get(call.tx, tenant))
    since = clock.text(wanted.since) if wanted.since else None
    answers = worker_of(request).follow(live_messages.Logs(row.id, wanted.tail, since, follow=wanted.follow, timestamps=wanted.timestamps))
    first = await anext(answers, None)  # so that an error is answered as a problem, not in the middle of a stream
    as_events = "text/event-stream" in (accept or "")
    body = _lines(while_permitted(caller, request.app.state.watcher, answers), first, as_events=as_events)
    if as_events:
        return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)
    download = {
        "Content-Disposition": f'attachment; filename="{row.slug}.log"'
    }  # keeps a browser from rendering an agent's output as a page of ours
    return StreamingResponse(body, media_type="text/plain; charset=utf-8", headers=HEADERS | download)


async def _lines(answers: AsyncGenerator[dict[str, Any]], first: dict[str, Any] | None, *, as_events: bool) -> AsyncIterator[str]:
    try:
        async with aclosing(answers):
            answer = first
            while answer is not None:
                line = answer.get("line")
                if line is not None:
                    line = line.replace("\r", "")  # ends a field of an event, as a newline does
                    yield f"event: log\ndata: {line}\n\n" if as_events else f"{line}\n"
                answer = await anext(answers, None)
    except PlatformError as error:
        yield f"event: problem\ndata: {error.detail}\n\n" if as_events else f"[{error.detail}]\n"
