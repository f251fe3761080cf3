"""Things that became true, numbered in the order of their commits; what a stream of server-sent events resumes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from zcplatform.store.db import Tx, many, names, scalar


@dataclass(frozen=True)
class Event:
    """`data` is JSON text: an object of scalars."""

    id: int
    at: str
    kind: str
    tenant_id: str | None
    object_id: str | None
    data: str


def append(tx: Tx, at: str, kind: str, *, tenant_id: str | None = None, object_id: str | None = None, **data: object) -> None:
    _insert(tx, at, kind, tenant_id, object_id, data)


def _insert(tx: Tx, at: str, kind: str, tenant_id: str | None, object_id: str | None, data: Mapping[str, object]) -> None:
    tx.execute(
        "INSERT INTO events (at, kind, tenant_id, object_id, data) VALUES (?, ?, ?, ?, ?)",
        (at, kind, tenant_id, object_id, json.dumps(data)),
    )


def after(tx: Tx, last_id: int, *, tenant_id: str | None = None, limit: int = 200) -> list[Event]:
    return many(
        tx,
        Event,
        f"SELECT {names(Event)} FROM events WHERE id > ? AND (? IS NULL OR tenant_id = ?) ORDER BY id LIMIT ?",
        last_id,
        tenant_id,
        tenant_id,
        limit,
    )


def newest_id(tx: Tx) -> int:
    return int(scalar(tx, "SELECT coalesce(max(id), 0) FROM events"))


def forget_before(tx: Tx, at: str) -> int:
    tx.execute("DELETE FROM events WHERE at < ?", (at,))
    return tx.changes()
