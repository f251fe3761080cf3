"""/api/audit and /api/tenants/{tenant}/audit: pages of JSON, or everything that matches as a file."""

import csv
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response, StreamingResponse

from zcplatform.core.roles import Permission
from zcplatform.ops import audit
from zcplatform.ops.audit import AuditView, Filter
from zcplatform.web import audit_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, reads
from zcplatform.web.streams import OpeningOf, StreamKind

router = APIRouter(prefix="/api", tags=["audit"])
COLUMNS = (
    "sequence",
    "at",
    "actor",
    "role",
    "address",
    "action",
    "object",
    "tenant_id",
    "outcome",
    "changes",
    "request_id",
    "hash",
    "people",
)
MEDIA = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": shapes.AuditEntries,
        "content": {media.split(";")[0]: {"schema": {"type": "string"}} for media in MEDIA.values()},
        "description": "Entries",
    }
}


@dataclass(frozen=True)
class Wanted:
    """The query of a request: which entries, in which format, and which page."""

    entries: Filter
    form: str
    cursor: int | None
    limit: int


def _wanted(
    actor: Annotated[str, Query(max_length=200, description="Id of a user or token, or its beginning")] = "",
    action: Annotated[str, Query(max_length=200, description="`tenant.deploy`, or its beginning")] = "",
    object: Annotated[str, Query(max_length=200, description="Id of what was changed")] = "",  # noqa: A002
    since: Annotated[str, Query(max_length=200, description="RFC 3339 time; entries from then on")] = "",
    until: Annotated[str, Query(max_length=200, description="RFC 3339 time; entries before")] = "",
) -> Filter:
    return audit.filtered(actor, action, object, since, until)


def _page(
    entries: Annotated[Filter, Depends(_wanted)],
    format: Annotated[  # noqa: A002
        Literal["json", "ndjson", "csv"], Query(description="`ndjson` and `csv` return everything that matches, oldest first")
    ] = "json",
    cursor: Annotated[int | None, Query(ge=1, le=2**53, description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Maximum number of items per page")] = 100,
) -> Wanted:
    return Wanted(entries, format, cursor, limit)


WantedOf = Annotated[Wanted, Depends(_page)]


@router.get("/audit", operation_id="listAuditEntries", summary="List audit entries", response_model=shapes.AuditEntries, responses=FILES)
async def everything(
    caller: Annotated[Caller, reads(Permission.AUDIT_READ_ALL)],
    wanted: WantedOf,
    opening: OpeningOf,
    tenant: Annotated[str, Query(max_length=200, description="Id or slug: only this tenant's entries")] = "",
) -> Response:
    """The whole log, newest first. That it was read, and with which filters, is an entry of its own."""
    opening.count(StreamKind.EXPORT, caller.actor)
    tenant_id = await audit.record_reading(caller, wanted.entries, wanted.form, tenant)
    return _answer(caller, replace(wanted, entries=replace(wanted.entries, tenant_id=tenant_id)))


@router.get(
    "/tenants/{tenant}/audit",
    operation_id="listTenantAuditEntries",
    summary="List a tenant's audit entries",
    response_model=shapes.AuditEntries,
    responses=FILES,
)
async def of_tenant(
    tenant: str,  # noqa: ARG001
    caller: Annotated[Caller, reads(Permission.AUDIT_READ)],
    wanted: WantedOf,
    opening: OpeningOf,
) -> Response:
    """What was done to this tenant, newest first."""
    opening.count(StreamKind.EXPORT, caller.actor)
    return _answer(caller, replace(wanted, entries=replace(wanted.entries, tenant_id=caller.actor.tenant_id or "none")))


def _answer(caller: Caller, wanted: Wanted) -> Response:
    if wanted.form != "json":
        headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="audit.{wanted.form}"'}
        return StreamingResponse(_lines(caller, wanted), 200, headers, MEDIA[wanted.form])
    found = caller.read(lambda call: audit.page(call, wanted.entries, wanted.cursor, wanted.limit))
    cursor = str(found[-1].sequence) if len(found) == wanted.limit else None
    return render.respond(shapes.AuditEntries(items=[shapes.AuditEntry(**_fields(view)) for view in found], next_cursor=cursor))


async def _lines(caller: Caller, wanted: Wanted) -> AsyncIterator[str]:
    if wanted.form == "csv":
        yield _csv(COLUMNS)
    async for page in audit.export(caller, wanted.entries):
        rows = [_fields(view) for view in page]
        if wanted.form == "csv":
            yield "".join(_csv([_cell(row[name]) for name in COLUMNS]) for row in rows)
        else:
            yield "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)


def _fields(view: AuditView) -> dict[str, Any]:
    return {"sequence": view.sequence, **view.entry.__dict__, "hash": view.hash, "people": view.people}


def _cell(value: object) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _csv(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
