"""/api/tenants/{id}/logs and /pairing-code: live calls that only the worker can answer."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from zcplatform import clock
from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Wanted
from zcplatform.errors import Conflict, PlatformError
from zcplatform.ops import desk as ops
from zcplatform.ops import tenants as asking
from zcplatform.ops.desk import Actor
from zcplatform.web import shape, shapes
from zcplatform.web.actor import AskedOf, DeskOf, needs
from zcplatform.web.events import HEADERS
from zcplatform.web.live import Worker
from zcplatform.web.watching import while_permitted

router = APIRouter(prefix="/api/tenants", tags=["agents"])
PAIRING_S = 10.0


@router.post("/{tenant}/pairing-code", response_model=shapes.PairingCode)
async def pairing_code(
    tenant: str, request: Request, desk: DeskOf, actor: Annotated[Actor, needs(Permission.PAIRING_READ)], asked: AskedOf
) -> shapes.PairingCode:
    """Mint a code for one device; the one that was pending ends."""
    row = desk.database.read(lambda tx: asking.get(tx, tenant))
    if row.wanted != Wanted.RUNNING:
        raise Conflict(
            "tenant.not_running", f"Tenant `{row.slug}` is {row.state}; only a running agent gives codes", "deploy or start it first"
        )
    await ops.issue(desk, actor, asked, "pairing.issue", row.id, row.id)
    worker: Worker = request.app.state.worker
    answer = await worker.ask("pairing_code", PAIRING_S, tenant_id=row.id)
    return shapes.PairingCode(code=answer["code"], expires_at=answer["expires_at"], url=shape.url(desk.settings, row.slug))


@router.get("/{tenant}/logs", response_class=StreamingResponse)
async def logs(
    tenant: str,
    request: Request,
    desk: DeskOf,
    actor: Annotated[Actor, needs(Permission.LOGS_READ)],
    tail: Annotated[int, Query(ge=0, le=10_000)] = 100,
    since: Annotated[AwareDatetime | None, Query(description="RFC 3339 time")] = None,
    follow: bool = False,
    timestamps: bool = False,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> StreamingResponse:
    """What the agent printed, as text or (Accept: text/event-stream) as server-sent events."""
    row = desk.database.read(lambda tx: asking.get(tx, tenant))
    worker: Worker = request.app.state.worker
    answers = worker.follow(
        "logs", tenant_id=row.id, tail=tail, since=clock.text(since) if since else None, follow=follow, timestamps=timestamps
    )
    first = await anext(answers, None)  # an error is answered as a problem, not in the middle of a stream
    as_events = "text/event-stream" in (accept or "")
    rest = while_permitted(desk.database, request.app.state.watcher, actor, answers)
    body = _lines(rest, first, as_events=as_events)
    return StreamingResponse(body, media_type="text/event-stream" if as_events else "text/plain; charset=utf-8", headers=HEADERS)


async def _lines(answers: AsyncIterator[dict[str, Any]], first: dict[str, Any] | None, *, as_events: bool) -> AsyncIterator[str]:
    try:
        answer = first
        while answer is not None:
            line = answer.get("line")
            if line is not None:
                line = line.replace("\r", "")  # ends a field of an event, as a newline does
                yield f"event: log\ndata: {line}\n\n" if as_events else f"{line}\n"
            answer = await anext(answers, None)
    except PlatformError as error:
        yield f"event: problem\ndata: {error.detail}\n\n" if as_events else f"[{error.detail}]\n"
