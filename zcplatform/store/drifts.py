"""Drift: how an agent's own file differed from the revision it was rendered from when last read back. At most one row per tenant."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from zcplatform.ids import TenantId
from zcplatform.store.db import Tx, columns, names, one


@dataclass(frozen=True)
class Drift:
    """`mount` is the tenant's `seen_config` at that time; `changes` is JSON: path → [as rendered, as found]. `decided` is keep, discard or None."""

    tenant_id: TenantId
    revision: int
    mount: str
    changes: str
    decided: str | None
    found_at: str


def get(tx: Tx, tenant_id: TenantId) -> Drift | None:
    return one(tx, Drift, f"SELECT {names(Drift)} FROM drifts WHERE tenant_id = ?", tenant_id)


def undecided(tx: Tx, tenant_ids: Collection[TenantId]) -> set[TenantId]:
    """Return those of the tenants whose agent's file has changes that were neither kept nor discarded."""
    statement = "SELECT tenant_id FROM drifts WHERE decided IS NULL AND tenant_id IN (SELECT value FROM json_each(?))"
    return {TenantId(str(row[0])) for row in tx.execute(statement, (json.dumps(list(tenant_ids)),))}


def put(tx: Tx, drift: Drift) -> None:
    marks = ", ".join("?" for _ in columns(Drift))
    tx.execute(f"INSERT OR REPLACE INTO drifts ({names(Drift)}) VALUES ({marks})", [getattr(drift, column) for column in columns(Drift)])


def decide(tx: Tx, tenant_id: TenantId, decided: str) -> None:
    """Record the decision. The row stays until the file is rendered again, so that the same changes are not reported twice."""
    tx.execute("UPDATE drifts SET decided = ? WHERE tenant_id = ?", (decided, tenant_id))


def forget(tx: Tx, tenant_id: TenantId) -> None:
    tx.execute("DELETE FROM drifts WHERE tenant_id = ?", (tenant_id,))


def forget_decided(tx: Tx, tenant_id: TenantId) -> None:
    tx.execute("DELETE FROM drifts WHERE tenant_id = ? AND decided IS NOT NULL", (tenant_id,))
