"""What an agent's own file differed in from the revision it was rendered from, when it was last read back; at most one row a tenant."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from zcplatform.ids import TenantId
from zcplatform.store.db import Tx, columns, names, one


@dataclass(frozen=True)
class Drift:
    """`mount` is the tenant's `seen_config` then, `changes` JSON: path → [as rendered, as found]. `decided` is keep, discard or None."""

    tenant_id: TenantId
    revision: int
    mount: str
    changes: str
    decided: str | None
    found_at: str


def get(tx: Tx, tenant_id: TenantId) -> Drift | None:
    return one(tx, Drift, f"SELECT {names(Drift)} FROM drifts WHERE tenant_id = ?", tenant_id)


def undecided(tx: Tx, tenant_ids: Collection[TenantId]) -> set[TenantId]:
    """Those of these tenants whose agent's file has edits without a decision."""
    statement = "SELECT tenant_id FROM drifts WHERE decided IS NULL AND tenant_id IN (SELECT value FROM json_each(?))"
    return {TenantId(str(row[0])) for row in tx.execute(statement, (json.dumps(list(tenant_ids)),))}


def put(tx: Tx, drift: Drift) -> None:
    marks = ", ".join("?" for _ in columns(Drift))
    tx.execute(f"INSERT OR REPLACE INTO drifts ({names(Drift)}) VALUES ({marks})", [getattr(drift, column) for column in columns(Drift)])


def decide(tx: Tx, tenant_id: TenantId, decided: str) -> None:
    """It stays until the file is written anew, so that the same edits are not found again."""
    tx.execute("UPDATE drifts SET decided = ? WHERE tenant_id = ?", (decided, tenant_id))


def forget(tx: Tx, tenant_id: TenantId) -> None:
    tx.execute("DELETE FROM drifts WHERE tenant_id = ?", (tenant_id,))


def forget_decided(tx: Tx, tenant_id: TenantId) -> None:
    tx.execute("DELETE FROM drifts WHERE tenant_id = ? AND decided IS NOT NULL", (tenant_id,))
