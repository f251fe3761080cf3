"""Secrets as ciphertexts, and the sealed boxes in which submitted ones wait for the worker. Nothing here can open either."""

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
    """For those of these tenants that have this secret in good order: the host it is for."""
    rows = tx.execute(
        "SELECT tenant_id, host FROM secrets WHERE kind = ? AND name = ? AND error IS NULL AND tenant_id IN (SELECT value FROM json_each(?))",
        (kind, name, json.dumps(list(tenant_ids))),
    )
    return {TenantId(str(tenant_id)): str(host) for tenant_id, host in rows}


def boxed(tx: Tx) -> list[Secret]:
    """Those that wait for the worker."""
    return many(tx, Secret, f"SELECT {names(Secret)} FROM secrets WHERE box IS NOT NULL ORDER BY updated_at")


def any_boxed(tx: Tx) -> bool:
    return bool(scalar(tx, "SELECT EXISTS (SELECT 1 FROM secrets WHERE box IS NOT NULL)"))


def put(tx: Tx, secret: Secret) -> None:
    """Insert, or replace the one with this tenant, kind and name; the caller has counted the version up."""
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
    """The worker opened the box: ciphertext in, box out. False when a newer box took its place."""
    tx.execute(
        "UPDATE secrets SET ciphertext = ?, box = NULL, error = NULL, updated_at = ? WHERE id = ? AND version = ? AND box IS ?",
        (ciphertext, at, secret.id, secret.version, secret.box),
    )
    return tx.changes() == 1


def reencrypt(tx: Tx, secret: Secret, ciphertext: bytes) -> None:
    """The same value under another key."""
    tx.execute("UPDATE secrets SET ciphertext = ? WHERE id = ? AND version = ?", (ciphertext, secret.id, secret.version))


def refuse(tx: Tx, secret: Secret, error: str, at: str) -> None:
    """The box does not belong here or can not be opened."""
    tx.execute(
        "UPDATE secrets SET box = NULL, ciphertext = NULL, error = ?, updated_at = ? WHERE id = ? AND version = ?",
        (error, at, secret.id, secret.version),
    )


def remove(tx: Tx, tenant_id: TenantId, kind: str, name: str) -> None:
    tx.execute("DELETE FROM secrets WHERE tenant_id = ? AND kind = ? AND name = ?", (tenant_id, kind, name))


def destroy(tx: Tx, tenant_id: TenantId) -> None:
    """All secrets of a tenant and its data key: what copies remain elsewhere can not be read again."""
    tx.execute("DELETE FROM secrets WHERE tenant_id = ?", (tenant_id,))
    tx.execute("DELETE FROM data_keys WHERE tenant_id = ?", (tenant_id,))


def data_key(tx: Tx, tenant_id: TenantId) -> bytes | None:
    """The tenant's data key, wrapped."""
    row = tx.execute("SELECT wrapped FROM data_keys WHERE tenant_id = ?", (tenant_id,)).fetchone()
    return bytes(row[0]) if row else None


def data_keys(tx: Tx) -> list[tuple[TenantId, bytes]]:
    """All of them, wrapped."""
    return [(TenantId(row[0]), bytes(row[1])) for row in tx.execute("SELECT tenant_id, wrapped FROM data_keys ORDER BY tenant_id")]


def rewrap_data_key(tx: Tx, tenant_id: TenantId, wrapped: bytes) -> None:
    tx.execute("UPDATE data_keys SET wrapped = ? WHERE tenant_id = ?", (wrapped, tenant_id))


def put_data_key(tx: Tx, tenant_id: TenantId, wrapped: bytes, at: str) -> None:
    tx.execute("INSERT INTO data_keys (tenant_id, wrapped, created_at) VALUES (?, ?, ?)", (tenant_id, wrapped, at))
