"""Events, numbered in the order of their commits. A stream of server-sent events resumes from such a number."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from zcplatform.core.roles import Visibility
from zcplatform.store.db import Tx, many, names, scalar

BATCH = 200


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


def after(tx: Tx, last_id: int, visibility: Visibility, *, tenant_id: str | None = None, limit: int = BATCH) -> list[Event]:
    """Return events that the caller may see. Events of no tenant are for those who see all tenants."""
    return many(
        tx,
        Event,
        f"SELECT {names(Event)} FROM events WHERE id > ? AND (? IS NULL OR tenant_id = ?) AND (? OR tenant_id = ?"
        " OR tenant_id IN (SELECT tenant_id FROM members WHERE user_id = ?)) ORDER BY id LIMIT ?",
        last_id,
        tenant_id,
        tenant_id,
        visibility.everything,
        visibility.tenant_id,
        visibility.user_id,
        limit,
    )


def count(tx: Tx, kind: str, tenant_id: str, since: str) -> int:
    """Count the tenant's events of this kind since then."""
    return int(scalar(tx, "SELECT count(*) FROM events WHERE tenant_id = ? AND kind = ? AND at > ?", tenant_id, kind, since))


def newest_id(tx: Tx) -> int:
    return int(scalar(tx, "SELECT coalesce(max(id), 0) FROM events"))


def delete_before(tx: Tx, at: str, most: int) -> bool:
    """True if there may be more: one write must not hold the others up, or run into its deadline, however many have gathered."""
    tx.execute("DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? LIMIT ?)", (at, most))
    return tx.changes() == most
