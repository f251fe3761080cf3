"""Numbered snapshots of a tenant's settings; never changed once written."""

from dataclasses import dataclass

from zcplatform.ids import TenantId
from zcplatform.store.db import Tx, names, one


@dataclass(frozen=True)
class Revision:
    """`settings` is JSON text: {"provider": {"family", "model", "base_url"} or null}."""

    tenant_id: TenantId
    number: int
    settings: str
    author: str
    note: str
    created_at: str


def get(tx: Tx, tenant_id: TenantId, number: int) -> Revision | None:
    return one(tx, Revision, f"SELECT {names(Revision)} FROM revisions WHERE tenant_id = ? AND number = ?", tenant_id, number)


def append(tx: Tx, revision: Revision) -> None:
    tx.execute(
        f"INSERT INTO revisions ({names(Revision)}) VALUES (?, ?, ?, ?, ?, ?)",
        (revision.tenant_id, revision.number, revision.settings, revision.author, revision.note, revision.created_at),
    )
