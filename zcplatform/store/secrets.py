"""Secrets as ciphertext, and sealed boxes with submitted secrets that wait for the worker. This module can decrypt neither."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from zcplatform.ids import SecretId, TenantId
from zcplatform.store.db import Tx, many, names, one, scalar


@dataclass(frozen=True)
class Secret:
    id: SecretId
    tenant_id: TenantId
    kind: str
    name: str
    host: str
    version: int
    box: bytes | None
    ciphertext: bytes | None
    error: str | None
    created_at: str
    updated_at: str
    hint: str | None = None


def get(tx: Tx, tenant_id: TenantId, kind: str, name: str) -> Secret | None:
    return one(tx, Secret, f"SELECT {names(Secret)} FROM secrets WHERE tenant_id = ? AND kind = ? AND name = ?", tenant_id, kind, name)


def of_tenant(tx: Tx, tenant_id: TenantId) -> list[Secret]:
    return many(tx, Secret, f"SELECT {names(Secret)} FROM secrets WHERE tenant_id = ? ORDER BY kind, name", tenant_id)


def hosts(tx: Tx, kind: str, name: str, tenant_ids: Collection[TenantId]) -> dict[TenantId, str]:
    """Return tenant → host of the secret, for those of the tenants that have a usable secret of this name."""
    rows = tx.execute(
        "SELECT tenant_id, host FROM secrets WHERE kind = ? AND name = ? AND error IS NULL AND tenant_id IN (SELECT value FROM json_each(?))",
        (kind, name, json.dumps(list(tenant_ids))),
    )
    return {TenantId(str(tenant_id)): str(host) for tenant_id, host in rows}


def boxed(tx: Tx) -> list[Secret]:
    """Return secrets whose box waits for the worker."""
    return many(tx, Secret, f"SELECT {names(Secret)} FROM secrets WHERE box IS NOT NULL ORDER BY updated_at")


def any_boxed(tx: Tx) -> bool:
    return bool(scalar(tx, "SELECT EXISTS (SELECT 1 FROM secrets WHERE box IS NOT NULL)"))


def put(tx: Tx, secret: Secret) -> None:
    """Insert a secret, or replace the one with this tenant, kind and name. The caller increments the version."""
    tx.execute("DELETE FROM secrets WHERE tenant_id = ? AND kind = ? AND name = ?", (secret.tenant_id, secret.kind, secret.name))
    tx.execute(
        f"INSERT INTO secrets ({names(Secret)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            secret.id,
            secret.tenant_id,
            secret.kind,
            secret.name,
            secret.host,
            secret.version,
            secret.box,
            secret.ciphertext,
            secret.error,
            secret.created_at,
            secret.updated_at,
            secret.hint,
        ),
    )


def keep(tx: Tx, secret: Secret, ciphertext: bytes, at: str) -> bool:
    """Replace the box by the ciphertext that the worker made of it. False if a newer box has arrived meanwhile."""
    tx.execute(
        "UPDATE secrets SET ciphertext = ?, box = NULL, error = NULL, updated_at = ? WHERE id = ? AND version = ? AND box IS ?",
        (ciphertext, at, secret.id, secret.version, secret.box),
    )
    return tx.changes() == 1


def reencrypt(tx: Tx, secret: Secret, ciphertext: bytes) -> None:
    """Replace the ciphertext by one under another key."""
    tx.execute("UPDATE secrets SET ciphertext = ? WHERE id = ? AND version = ?", (ciphertext, secret.id, secret.version))


def refuse(tx: Tx, secret: Secret, error: str, at: str) -> None:
    """Record that a box does not belong to this row or cannot be decrypted."""
    tx.execute(
        "UPDATE secrets SET box = NULL, ciphertext = NULL, error = ?, updated_at = ? WHERE id = ? AND version = ?",
        (error, at, secret.id, secret.version),
    )


def remove(tx: Tx, tenant_id: TenantId, kind: str, name: str) -> None:
    tx.execute("DELETE FROM secrets WHERE tenant_id = ? AND kind = ? AND name = ?", (tenant_id, kind, name))


def destroy(tx: Tx, tenant_id: TenantId) -> None:
    """Delete a tenant's secrets and its data key. Copies that remain elsewhere, such as backups, cannot be decrypted without it."""
    tx.execute("DELETE FROM secrets WHERE tenant_id = ?", (tenant_id,))
    tx.execute("DELETE FROM data_keys WHERE tenant_id = ?", (tenant_id,))


def data_key(tx: Tx, tenant_id: TenantId) -> bytes | None:
    """Return the tenant's wrapped data key."""
    row = tx.execute("SELECT wrapped FROM data_keys WHERE tenant_id = ?", (tenant_id,)).fetchone()
    return bytes(row[0]) if row else None


def data_keys(tx: Tx) -> list[tuple[TenantId, bytes]]:
    """Return all wrapped data keys."""
    return [(TenantId(row[0]), bytes(row[1])) for row in tx.execute("SELECT tenant_id, wrapped FROM data_keys ORDER BY tenant_id")]


def rewrap_data_key(tx: Tx, tenant_id: TenantId, wrapped: bytes) -> None:
    tx.execute("UPDATE data_keys SET wrapped = ? WHERE tenant_id = ?", (wrapped, tenant_id))


def put_data_key(tx: Tx, tenant_id: TenantId, wrapped: bytes, at: str) -> None:
    tx.execute("INSERT INTO data_keys (tenant_id, wrapped, created_at) VALUES (?, ?, ?)", (tenant_id, wrapped, at))
