"""Operations: requests that the worker carries out step by step. At most one is open for each tenant."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from zcplatform.ids import ImageId, OperationId, TenantId, new_operation_id
from zcplatform.store import events
from zcplatform.store.db import Tx, columns, many, names, one, require, scalar


@dataclass(frozen=True)
class Operation:
    id: OperationId
    tenant_id: TenantId | None
    image_id: ImageId | None
    kind: str
    status: str
    generation: int
    requested_by: str
    reason: str
    attempts: int
    next_attempt_at: str | None
    error_code: str | None
    error_detail: str | None
    error_hint: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    result: str | None = None
    """JSON: what the operation returned, such as the report of a pre-flight."""


@dataclass(frozen=True)
class OperationStep:
    operation_id: OperationId
    position: int
    name: str
    status: str
    attempts: int
    started_at: str | None
    finished_at: str | None
    error: str | None


def requested(
    kind: str, requested_by: str, at: str, *, tenant_id: TenantId | None = None, image_id: ImageId | None = None, generation: int = 0
) -> Operation:
    """Create an operation that has not begun."""
    return Operation(
        id=new_operation_id(),
        tenant_id=tenant_id,
        image_id=image_id,
        kind=kind,
        status="waiting",
        generation=generation,
        requested_by=requested_by,
        reason="",
        attempts=0,
        next_attempt_at=None,
        error_code=None,
        error_detail=None,
        error_hint=None,
        created_at=at,
        started_at=None,
        finished_at=None,
    )


def insert(tx: Tx, operation: Operation, steps: Iterable[str] = ()) -> None:
    marks = ", ".join("?" for _ in columns(Operation))
    values = [getattr(operation, column) for column in columns(Operation)]
    tx.execute(f"INSERT INTO operations ({names(Operation)}) VALUES ({marks})", values)
    plan_steps(tx, operation.id, steps)
    _tell(tx, operation.id, operation.created_at)


def get(tx: Tx, operation_id: str) -> Operation | None:
    return one(tx, Operation, f"SELECT {names(Operation)} FROM operations WHERE id = ?", operation_id)


def steps_of(tx: Tx, operation_id: OperationId) -> list[OperationStep]:
    return many(
        tx, OperationStep, f"SELECT {names(OperationStep)} FROM operation_steps WHERE operation_id = ? ORDER BY position", operation_id
    )


def steps_of_all(tx: Tx, operation_ids: Collection[OperationId]) -> dict[str, list[OperationStep]]:
    found: dict[str, list[OperationStep]] = {}
    statement = (
        f"SELECT {names(OperationStep)} FROM operation_steps WHERE operation_id IN (SELECT value FROM json_each(?)) ORDER BY position"
    )
    for step in many(tx, OperationStep, statement, json.dumps(list(operation_ids))):
        found.setdefault(step.operation_id, []).append(step)
    return found


def of_tenant(tx: Tx, tenant_id: TenantId, before_id: str, limit: int, status: str = "", kind: str = "") -> list[Operation]:
    """Return one page, newest first. `before_id` is the last id of the previous page or empty. Empty filters match all."""
    return many(
        tx,
        Operation,
        f"SELECT {names(Operation)} FROM operations WHERE tenant_id = ?1 AND (?2 = '' OR status = ?2) AND (?3 = '' OR kind = ?3)"
        " AND (?4 = '' OR id < ?4) ORDER BY id DESC LIMIT ?5",
        tenant_id,
        status,
        kind,
        before_id,
        limit,
    )


def count_of_tenant(tx: Tx, tenant_id: TenantId, status: str = "", kind: str = "") -> int:
    statement = "SELECT count(*) FROM operations WHERE tenant_id = ?1 AND (?2 = '' OR status = ?2) AND (?3 = '' OR kind = ?3)"
    return int(scalar(tx, statement, tenant_id, status, kind))


def open_of(tx: Tx, tenant_id: TenantId) -> Operation | None:
    return one(tx, Operation, f"SELECT {names(Operation)} FROM operations WHERE tenant_id = ? AND finished_at IS NULL", tenant_id)


def open_of_kind(tx: Tx, kind: str) -> list[Operation]:
    return many(tx, Operation, f"SELECT {names(Operation)} FROM operations WHERE kind = ? AND finished_at IS NULL ORDER BY id", kind)


def open_of_image(tx: Tx, image_id: ImageId, kind: str) -> Operation | None:
    """`kind` is image.prepare or image.remove: the end of one must not be taken for the end of the other."""
    statement = f"SELECT {names(Operation)} FROM operations WHERE image_id = ? AND kind = ? AND finished_at IS NULL"
    return one(tx, Operation, statement, image_id, kind)


def supersede_open(tx: Tx, tenant_id: TenantId, at: str) -> None:
    """End the open operation as superseded by a newer request."""
    operation = open_of(tx, tenant_id)
    if operation is not None:
        tx.execute(
            "UPDATE operations SET status = 'superseded', reason = 'a newer request took its place', finished_at = ? WHERE id = ?",
            (at, operation.id),
        )
        _tell(tx, operation.id, at)


def carry_over(tx: Tx, tenant_id: TenantId, generation: int) -> None:
    """Move the open operation to the new generation: another change was made, but what the operation requests is still desired."""
    tx.execute("UPDATE operations SET generation = ? WHERE tenant_id = ? AND finished_at IS NULL", (generation, tenant_id))


def begin(tx: Tx, operation_id: OperationId, at: str) -> None:
    """Record that an attempt begins."""
    tx.execute(
        "UPDATE operations SET status = 'running', reason = '', next_attempt_at = NULL, attempts = attempts + 1,"
        " started_at = coalesce(started_at, ?) WHERE id = ? AND finished_at IS NULL",
        (at, operation_id),
    )
    _tell(tx, operation_id, at)


def progress(tx: Tx, operation_id: OperationId, at: str, words: str) -> None:
    """Record the progress of the current attempt."""
    tx.execute("UPDATE operations SET reason = ? WHERE id = ? AND status = 'running'", (words, operation_id))
    _tell(tx, operation_id, at)


def wait(tx: Tx, operation_id: OperationId, at: str, code: str, detail: str, hint: str, next_attempt_at: str) -> None:
    """Record that an attempt failed and when the next one is due."""
    tx.execute(
        "UPDATE operations SET status = 'waiting', reason = ?, error_code = ?, error_detail = ?, error_hint = ?, next_attempt_at = ?"
        " WHERE id = ? AND finished_at IS NULL",
        (f"waiting: {detail}", code, detail, hint, next_attempt_at, operation_id),
    )
    _tell(tx, operation_id, at)


def fail(tx: Tx, operation_id: OperationId, at: str, code: str, detail: str, hint: str) -> None:
    tx.execute(
        "UPDATE operations SET status = 'failed', reason = ?, error_code = ?, error_detail = ?, error_hint = ?, next_attempt_at = NULL,"
        " finished_at = ? WHERE id = ? AND finished_at IS NULL",
        (detail, code, detail, hint, at, operation_id),
    )
    _tell(tx, operation_id, at)


def succeed(tx: Tx, operation_id: OperationId, at: str, result: str | None = None) -> None:
    """Record success. Steps that were not needed are deleted, so the list shows what was done. `result` is JSON."""
    tx.execute("DELETE FROM operation_steps WHERE operation_id = ? AND status = 'pending'", (operation_id,))
    tx.execute(
        "UPDATE operations SET status = 'succeeded', reason = '', error_code = NULL, error_detail = NULL, error_hint = NULL,"
        " next_attempt_at = NULL, started_at = coalesce(started_at, ?), finished_at = ?, result = ? WHERE id = ? AND finished_at IS NULL",
        (at, at, result, operation_id),
    )
    _tell(tx, operation_id, at)


def plan_steps(tx: Tx, operation_id: OperationId, steps: Iterable[str]) -> None:
    """Add the steps to come. A step that is listed already keeps its position and becomes pending again."""
    for name in steps:
        tx.execute(
            "INSERT INTO operation_steps (operation_id, position, name, status)"
            " VALUES (?, (SELECT coalesce(max(position), 0) + 1 FROM operation_steps WHERE operation_id = ?), ?, 'pending')"
            " ON CONFLICT (operation_id, name) DO UPDATE SET status = 'pending', started_at = NULL, finished_at = NULL, error = NULL",
            (operation_id, operation_id, name),
        )


def begin_step(tx: Tx, operation_id: OperationId, name: str, at: str) -> None:
    tx.execute(
        "UPDATE operation_steps SET status = 'running', attempts = attempts + 1, started_at = ?, finished_at = NULL, error = NULL"
        " WHERE operation_id = ? AND name = ?",
        (at, operation_id, name),
    )
    events.append(tx, at, "operation.step", tenant_id=_tenant(tx, operation_id), object_id=operation_id, step=name, status="running")


def end_step(tx: Tx, operation_id: OperationId, name: str, at: str, error: str | None = None) -> None:
    status = "succeeded" if error is None else "failed"
    tx.execute(
        "UPDATE operation_steps SET status = ?, finished_at = ?, error = ? WHERE operation_id = ? AND name = ?",
        (status, at, error, operation_id, name),
    )
    events.append(
        tx, at, "operation.step", tenant_id=_tenant(tx, operation_id), object_id=operation_id, step=name, status=status, error=error
    )


def _tell(tx: Tx, operation_id: OperationId, at: str) -> None:
    operation = require(get(tx, operation_id))
    events.append(
        tx,
        at,
        "operation.status",
        tenant_id=operation.tenant_id,
        object_id=operation.id,
        operation=operation.kind,
        status=operation.status,
        reason=operation.reason,
    )


def _tenant(tx: Tx, operation_id: OperationId) -> str | None:
    return scalar(tx, "SELECT tenant_id FROM operations WHERE id = ?", operation_id)  # type: ignore[no-any-return]
