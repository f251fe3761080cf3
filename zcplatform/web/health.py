"""/healthz, /readyz, /metrics, and the question the edge asks before it gets a certificate for a name."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from zcplatform import clock
from zcplatform.core import live_messages
from zcplatform.core.roles import Permission
from zcplatform.errors import PlatformError
from zcplatform.ops import tenants
from zcplatform.ops.context import Context
from zcplatform.ops.readiness import require_writable
from zcplatform.web import health_shapes as shapes
from zcplatform.web.caller import Caller, ContextOf, reads
from zcplatform.web.metrics import Metrics
from zcplatform.web.worker_client import Worker

router = APIRouter(tags=["health"])
WORKER_SEEN = timedelta(seconds=30)
WRITE_EVERY_S = 10.0
LATE = ": late"


@router.get("/healthz", operation_id="getHealth", summary="Check that the web process answers", response_class=PlainTextResponse)
async def healthz() -> str:
    """Always `ok`. Public."""
    return "ok\n"


@router.get(
    "/readyz",
    operation_id="getReadiness",
    summary="Check that the platform is ready",
    response_model=shapes.Ready,
    responses={503: {"model": shapes.Ready, "description": "Not ready"}},
)
async def readyz(request: Request, context: ContextOf) -> JSONResponse:
    """Ready: the database takes a commit, the worker was seen within 30 seconds, and none of its loops is late.

    A loop that fails is listed and leaves the platform ready: its next round tries again, and the API still works.
    """
    try:
        await _require_writable(request, context)
    except PlatformError as error:
        return _ready(shapes.Ready(ready=False, database=error.code, worker="unknown", loops=[]))
    seen_at = _worker_seen(context)
    if seen_at is None or seen_at <= clock.now() - WORKER_SEEN:
        last = f"last seen {clock.text(seen_at) if seen_at else 'never'}"
        return _ready(shapes.Ready(ready=False, database="writable", worker=last, loops=[]))
    troubles = await _loop_troubles(request)
    is_late = any(trouble.endswith(LATE) for trouble in troubles)
    return _ready(shapes.Ready(ready=not is_late, database="writable", worker="seen", loops=troubles))


def _ready(found: shapes.Ready) -> JSONResponse:
    return JSONResponse(found.model_dump(), 200 if found.ready else 503)


async def _require_writable(request: Request, context: Context) -> None:
    """Check the disk at most every ten seconds, however many requests come. A failure is not cached."""
    now = time.monotonic()
    if now >= request.app.state.look_again_at:
        await require_writable(context)
        request.app.state.look_again_at = now + WRITE_EVERY_S


async def _loop_troubles(request: Request) -> list[str]:
    """Return loops that are late or failing; none if the worker does not answer, which its heartbeat shows."""
    worker: Worker = request.app.state.worker
    try:
        found = (await worker.ask(live_messages.Loops(), 2.0))["loops"]
    except PlatformError:
        return []
    late = [f"{loop['name']}{LATE}" for loop in found if loop["is_late"]]
    return late + [f"{loop['name']}: failing" for loop in found if loop["error_code"] and not loop["is_late"]]


def _worker_seen(context: Context) -> datetime | None:
    try:
        return datetime.fromtimestamp(context.settings.worker_heartbeat.stat().st_mtime, UTC)
    except OSError:
        return None


@router.get("/metrics", operation_id="getMetrics", summary="Show metrics", response_class=PlainTextResponse)
async def metrics(request: Request, context: ContextOf, _: Annotated[Caller, reads(Permission.METRICS_READ)]) -> PlainTextResponse:
    """Metrics of the web process and the worker in the text format of Prometheus."""
    own: Metrics = request.app.state.metrics
    own.set_tenants(context.database.read(tenants.count_by_state))
    worker: Worker = request.app.state.worker
    try:
        of_worker = str((await worker.ask(live_messages.Health(), 2.0))["metrics"])
    except PlatformError:
        of_worker = ""
    return PlainTextResponse(own.text() + of_worker, media_type="text/plain; version=0.0.4")


@router.get("/internal/ask", include_in_schema=False)
async def ask(context: ContextOf, domain: Annotated[str, Query(max_length=255)] = "") -> Response:
    """Whether the edge may get a certificate for a name: 200 or 404. Only the edge's loopback listener leads here."""
    name = domain.lower().removesuffix(f".{context.settings.domain}")
    known = domain == context.settings.panel_host or context.database.read(lambda tx: tenants.has_route(tx, name))
    return Response(status_code=200 if known else 404)
