"""/healthz, /readyz, /metrics, and the question the edge asks before it gets a certificate for a name."""

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from zcplatform import clock
from zcplatform.core.roles import Permission
from zcplatform.errors import PlatformError
from zcplatform.ops.context import Actor, Context
from zcplatform.store import tenants
from zcplatform.store.db import Tx
from zcplatform.web import shapes
from zcplatform.web.actor import ContextOf, needs
from zcplatform.web.live import Worker
from zcplatform.web.metrics import Metrics

router = APIRouter(tags=["health"])
WORKER_SEEN = timedelta(seconds=30)


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    """This process answers; nothing more is said to strangers."""
    return "ok\n"


@router.get("/readyz", response_model=shapes.Ready, responses={503: {"model": shapes.Ready}})
async def readyz(request: Request, context: ContextOf) -> JSONResponse:
    """The database can be written and the worker was seen within 30 seconds."""

    try:
        await _look(request, context)
    except PlatformError as error:
        return JSONResponse(shapes.Ready(ready=False, database=error.code, worker="unknown").model_dump(), 503)
    seen_at = _worker_seen(context)
    fresh = seen_at is not None and seen_at > clock.now() - WORKER_SEEN
    worker = "seen" if fresh else f"last seen {clock.text(seen_at) if seen_at else 'never'}"
    return JSONResponse(shapes.Ready(ready=fresh, database="writable", worker=worker).model_dump(), 200 if fresh else 503)


async def _look(request: Request, context: Context) -> None:
    """Take (and give back) the lock to write; once a second however many ask."""
    now = time.monotonic()
    if now >= request.app.state.look_again_at:
        await context.database.write(lambda _: None)
        request.app.state.look_again_at = now + 1


def _worker_seen(context: Context) -> datetime | None:
    try:
        return datetime.fromtimestamp(context.settings.worker_heartbeat.stat().st_mtime, UTC)
    except OSError:
        return None


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, context: ContextOf, _: Annotated[Actor, needs(Permission.METRICS_READ)]) -> PlainTextResponse:
    """Prometheus text of both processes."""
    own: Metrics = request.app.state.metrics
    own.tell_tenants(context.database.read(tenants.count_by_state))
    worker: Worker = request.app.state.worker
    try:
        told = str((await worker.ask("health", 2.0))["metrics"])
    except PlatformError:
        told = ""
    return PlainTextResponse(own.text() + told, media_type="text/plain; version=0.0.4")


@router.get("/internal/ask", include_in_schema=False)
async def ask(context: ContextOf, domain: Annotated[str, Query(max_length=255)] = "") -> Response:
    """200 for a name of ours, 404 for any other. Only the edge's loopback listener leads here; the panel's routes close /internal."""
    name = domain.lower().removesuffix(f".{context.settings.domain}")
    known = domain == context.settings.panel_host or context.database.read(lambda tx: _routed(tx, name))
    return Response(status_code=200 if known else 404)


def _routed(tx: Tx, slug: str) -> bool:
    tenant = tenants.find(tx, slug)
    return tenant is not None and tenant.slug == slug and tenant.wanted in ("running", "stopped")
