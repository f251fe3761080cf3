"""Holds of tenants, at most one of each kind. A tenant's row is read together with its holds (`store.tenants`)."""

from zcplatform.core.holds import Hold, HoldKind
from zcplatform.ids import TenantId
from zcplatform.store.db import Tx


def put(tx: Tx, tenant_id: TenantId, hold: Hold) -> None:
    """Record a hold, or replace the one of its kind. The caller then updates the tenant's state (`tenants.want`)."""
    tx.execute(
        "INSERT INTO holds (tenant_id, kind, reason, held_since, held_by) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (tenant_id, kind) DO UPDATE SET reason = excluded.reason, held_since = excluded.held_since, held_by = excluded.held_by",
        (tenant_id, hold.kind, hold.reason, hold.since, hold.by),
    )


def lift(tx: Tx, tenant_id: TenantId, kind: HoldKind) -> bool:
    """Lift a hold. False if the tenant has none of this kind."""
    tx.execute("DELETE FROM holds WHERE tenant_id = ? AND kind = ?", (tenant_id, kind))
    return tx.changes() == 1
