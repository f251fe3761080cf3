"""/api/tenants/{id}/: pairing code, devices, messages, logs and channels' health: live calls that only the worker can answer."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import AwareDatetime

from zcplatform import clock
from zcplatform.core.roles import Permission
from zcplatform.errors import PlatformError
from zcplatform.ops import agents as ops
from zcplatform.ops import tenants as asking
from zcplatform.ops.context import Actor
from zcplatform.web import render, shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.events import HEADERS
from zcplatform.web.live import Worker
from zcplatform.web.streams import Kind, OpeningOf
from zcplatform.web.watching import while_permitted

router = APIRouter(prefix="/api/tenants", tags=["agents"])
ASK_S = 12.0
RESET_S = 60.0
MESSAGE_S = 130.0
"""Longer than the worker waits for the agent, so that its error is told and not ours."""
DeviceId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


def worker_of(request: Request) -> Worker:
    return request.app.state.worker  # type: ignore[no-any-return]


@router.post("/{tenant}/pairing-code", response_model=shapes.PairingCode)
async def pairing_code(
    tenant: str, request: Request, context: ContextOf, actor: Annotated[Actor, needs(Permission.PAIRING_READ)], retry: RetryKeyOf
) -> shapes.PairingCode:
    """Mint a code for one device; the one that was pending ends. It is shown here and nowhere else: a repeat makes a new one."""
    row = await ops.ask(context, actor, retry, "pairing.issue", tenant)
    answer = await worker_of(request).ask("pairing_code", ASK_S, tenant_id=row.id)
    return shapes.PairingCode(code=answer["code"], expires_at=answer["expires_at"], url=render.url(context.settings, row.slug))


@router.get("/{tenant}/devices", response_model=shapes.Devices)
async def devices(tenant: str, request: Request, context: ContextOf, _: Annotated[Actor, needs(Permission.DEVICE_READ)]) -> shapes.Devices:
    """Who is paired with the agent, as the agent tells it."""
    answer = await worker_of(request).ask("devices", ASK_S, tenant_id=ops.running(context, tenant).id)
    return shapes.Devices.model_validate({"items": answer["devices"]})


@router.delete("/{tenant}/devices/{device}", status_code=204, response_class=Response)
async def revoke(
    tenant: str,
    device: DeviceId,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.DEVICE_MANAGE)],
    retry: RetryKeyOf,
) -> None:
    """Its token is worth nothing from now on."""
    row = await ops.ask(context, actor, retry, "device.revoke", tenant, device)
    await worker_of(request).ask("device_revoke", ASK_S, tenant_id=row.id, device_id=device)


@router.delete("/{tenant}/devices", response_model=shapes.DevicesReset)
async def reset(
    tenant: str, request: Request, context: ContextOf, actor: Annotated[Actor, needs(Permission.DEVICE_MANAGE)], retry: RetryKeyOf
) -> shapes.DevicesReset:
    """Nobody is paired any more. An agent that holds on to a device is started again without it."""
    row = await ops.reset_devices(context, actor, retry, tenant)
    answer = await worker_of(request).ask("devices_reset", RESET_S, tenant_id=row.id)
    return shapes.DevicesReset(restarts=answer["restarts"])


@router.post("/{tenant}/messages", response_model=shapes.Reply)
async def message(
    tenant: str,
    sent: shapes.MessageInput,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.MESSAGE_SEND)],
    retry: RetryKeyOf,
) -> shapes.Reply:
    """Say something to the running agent and get its answer. Neither is kept or logged; that it was done is."""
    row = await ops.ask(context, actor, retry, "message.send", tenant)
    answer = await worker_of(request).ask("message", MESSAGE_S, tenant_id=row.id, text=sent.text)
    return shapes.Reply(text=answer["text"], model=answer["model"])


@router.get("/{tenant}/channels/health", response_model=shapes.ChannelsHealth)
async def channels(
    tenant: str, request: Request, context: ContextOf, _: Annotated[Actor, needs(Permission.CHANNEL_READ)]
) -> shapes.ChannelsHealth:
    """What the running agent says of each of its channels."""
    answer = await worker_of(request).ask("channels", ASK_S, tenant_id=ops.running(context, tenant).id)
    return shapes.ChannelsHealth.model_validate({"items": answer["channels"]})


EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Beyond, an offset could lead out of what a time can be."""


@router.get("/{tenant}/logs", response_class=StreamingResponse)
async def logs(
    tenant: str,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.LOGS_READ)],
    opening: OpeningOf,
    tail: Annotated[int, Query(ge=0, le=10_000)] = 100,
    since: Annotated[AwareDatetime | None, Query(description="RFC 3339 time", ge=EARLIEST, le=LATEST)] = None,
    follow: bool = False,
    timestamps: bool = False,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> StreamingResponse:
    """What the agent printed, as text or (Accept: text/event-stream) as server-sent events."""
    opening.count(Kind.LOGS, actor)
    row = context.database.read(lambda tx: asking.get(tx, tenant))
    answers = worker_of(request).follow(
        "logs", tenant_id=row.id, tail=tail, since=clock.text(since) if since else None, follow=follow, timestamps=timestamps
    )
    first = await anext(answers, None)  # an error is answered as a problem, not in the middle of a stream
    as_events = "text/event-stream" in (accept or "")
    rest = while_permitted(context.database, request.app.state.watcher, actor, answers)
    body = _lines(rest, first, as_events=as_events)
    if as_events:
        return StreamingResponse(body, media_type="text/event-stream", headers=HEADERS)
    download = {"Content-Disposition": f'attachment; filename="{row.slug}.log"'}  # a browser shows no agent's words as a page of ours
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
