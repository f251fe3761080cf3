"""/api/audit and /api/tenants/{tenant}/audit: pages of JSON, or everything that was asked for as a file."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response, StreamingResponse

from zcplatform.core.roles import Permission
from zcplatform.ops import audit as asking
from zcplatform.ops.context import Actor, Context
from zcplatform.store import audit as rows
from zcplatform.store.audit import Question, Stored
from zcplatform.web import shapes
from zcplatform.web.actor import ContextOf, needs
from zcplatform.web.streams import Kind, OpeningOf

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
Text = Annotated[str, Query(max_length=200)]
Form = Annotated[Literal["json", "ndjson", "csv"], Query(description="`ndjson` and `csv` are everything that was asked for, oldest first")]
Cursor = Annotated[int | None, Query(ge=1, le=2**53)]
Limit = Annotated[int, Query(ge=1, le=200)]
FILES: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.AuditEntries, "content": {media.split(";")[0]: {} for media in MEDIA.values()}, "description": "Entries"}
}


def _wanted(
    actor: Annotated[str, Query(max_length=200, description="Id of a user or token, or how it begins")] = "",
    action: Annotated[str, Query(max_length=200, description="`tenant.deploy`, or how it begins")] = "",
    object: Text = "",  # noqa: A002
    since: Text = "",
    until: Text = "",
) -> Question:
    return asking.asked("", actor, action, object, since, until)


Wanted = Annotated[Question, Depends(_wanted)]


@router.get("/audit", response_model=shapes.AuditEntries, responses=FILES)
async def everything(
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.AUDIT_READ_ALL)],
    wanted: Wanted,
    opening: OpeningOf,
    tenant: Text = "",
    format: Form = "json",  # noqa: A002
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """The whole log, newest first. That it was read, and what was asked for, is an entry of its own."""
    opening.count(Kind.EXPORT, actor)
    tenant_id = await asking.told(context, actor, wanted, format, tenant)
    return _answer(context, actor, Question(**{**wanted.__dict__, "tenant_id": tenant_id}), format, cursor, limit)


@router.get("/tenants/{tenant}/audit", response_model=shapes.AuditEntries, responses=FILES)
async def of_tenant(
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.AUDIT_READ)],
    wanted: Wanted,
    opening: OpeningOf,
    format: Form = "json",  # noqa: A002
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """What was done to this tenant, newest first."""
    opening.count(Kind.EXPORT, actor)
    return _answer(context, actor, Question(**{**wanted.__dict__, "tenant_id": actor.tenant_id or "none"}), format, cursor, limit)


def _answer(context: Context, actor: Actor, question: Question, form: str, cursor: int | None, limit: int) -> Response:
    headers = {"Cache-Control": "no-store"}
    if form != "json":
        headers["Content-Disposition"] = f'attachment; filename="audit.{form}"'
        return StreamingResponse(_lines(context, actor, question, form), 200, headers, MEDIA[form])
    found = context.database.read(lambda tx: rows.page(tx, question, cursor, limit))
    items = [shapes.AuditEntry(**row) for row in _shaped(context, found)]
    told = shapes.AuditEntries(items=items, next_cursor=str(found[-1].sequence) if len(found) == limit else None)
    return JSONResponse(told.model_dump(), 200, headers)


async def _lines(context: Context, actor: Actor, question: Question, form: str) -> AsyncIterator[str]:
    if form == "csv":
        yield _csv(COLUMNS)
    async for page in asking.export(context, actor, question):
        shaped = _shaped(context, page)
        if form == "csv":
            yield "".join(_csv([_cell(row[name]) for name in COLUMNS]) for row in shaped)
        else:
            yield "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in shaped)


def _shaped(context: Context, rows: list[Stored]) -> list[dict[str, Any]]:
    people = context.database.read(lambda tx: asking.people(tx, rows))
    return [
        {
            "sequence": row.sequence,
            **row.entry.__dict__,
            "hash": row.hash.hex(),
            "people": {one: people[one] for one in sorted(asking.ids_of(row.entry)) if one in people},
        }
        for row in rows
    ]


def _cell(value: object) -> str:
    """What a spreadsheet would run as a formula begins with an apostrophe."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def _csv(cells: Any) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
