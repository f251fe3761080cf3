"""Revisions: numbered snapshots of a tenant's settings. Settings never change once saved; the outcome of running them is recorded once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from zcplatform.ids import TenantId
from zcplatform.store.db import Tx, columns, many, names, one, scalar


@dataclass(frozen=True)
class Revision:
    """`settings` is JSON text without any secret. `outcome` is `good`, `rejected` (with `reason`), or None if it was not run yet."""

    tenant_id: TenantId
    number: int
    settings: str
    author: str
    note: str
    created_at: str
    outcome: str | None = None
    reason: str | None = None


def get(tx: Tx, tenant_id: TenantId, number: int) -> Revision | None:
    return one(tx, Revision, f"SELECT {names(Revision)} FROM revisions WHERE tenant_id = ? AND number = ?", tenant_id, number)


def settings_of(tx: Tx, numbers: Mapping[TenantId, int]) -> dict[TenantId, str]:
    """Return the settings of one revision of each of these tenants."""
    rows = tx.execute(
        "SELECT r.tenant_id, r.settings FROM json_each(?) AS wanted JOIN revisions AS r ON r.tenant_id = wanted.key AND r.number = wanted.value",
        (json.dumps(dict(numbers)),),
    )
    return {TenantId(str(tenant_id)): str(settings) for tenant_id, settings in rows}


def of_tenant(tx: Tx, tenant_id: TenantId, below: int | None, limit: int) -> list[Revision]:
    """Return one page, newest first. `below` is the last number of the previous page."""
    return many(
        tx,
        Revision,
        f"SELECT {names(Revision)} FROM revisions WHERE tenant_id = ? AND (? IS NULL OR number < ?) ORDER BY number DESC LIMIT ?",
        tenant_id,
        below,
        below,
        limit,
    )


def last_number(tx: Tx, tenant_id: TenantId) -> int:
    return int(scalar(tx, "SELECT coalesce(max(number), 0) FROM revisions WHERE tenant_id = ?", tenant_id))


def append(tx: Tx, revision: Revision) -> None:
    marks = ", ".join("?" for _ in columns(Revision))
    tx.execute(f"INSERT INTO revisions ({names(Revision)}) VALUES ({marks})", [getattr(revision, column) for column in columns(Revision)])


def set_outcome(tx: Tx, tenant_id: TenantId, number: int, outcome: str, reason: str | None = None) -> None:
    """Record the outcome. Only the first one is kept: a revision that was good once is not rejected because of a later failure."""
    tx.execute(
        "UPDATE revisions SET outcome = ?, reason = ? WHERE tenant_id = ? AND number = ? AND outcome IS NULL",
        (outcome, reason, tenant_id, number),
    )
