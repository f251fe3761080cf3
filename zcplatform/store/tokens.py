"""Bearer tokens, stored as keyed hashes: of users, of tenants (service accounts), and those created on the host."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from zcplatform.ids import TokenId
from zcplatform.store.db import Tx, columns, many, names, one


@dataclass(frozen=True)
class Token:
    """`hint` is the token's first characters, to find it in one's files.

    `user_id` or `tenant_id` is its owner; a token with neither was created on the host and has super-admin rights. `role` and `scopes` (JSON list)
    limit what it may do; None adds no limit.
    """

    id: TokenId
    name: str
    hash: bytes
    hint: str
    created_at: str
    expires_at: str
    last_used_at: str | None = None
    revoked_at: str | None = None
    user_id: str | None = None
    tenant_id: str | None = None
    maker_user_id: str | None = None
    maker_token_id: str | None = None
    role: str | None = None
    scopes: str | None = None


def scopes_text(scopes: Iterable[str] | None) -> str | None:
    return None if scopes is None else json.dumps(sorted(scopes))


def insert(tx: Tx, token: Token) -> None:
    marks = ", ".join("?" for _ in columns(Token))
    tx.execute(f"INSERT INTO tokens ({names(Token)}) VALUES ({marks})", [getattr(token, column) for column in columns(Token)])


def get(tx: Tx, token_id: str) -> Token | None:
    return one(tx, Token, f"SELECT {names(Token)} FROM tokens WHERE id = ?", token_id)


def by_hash(tx: Tx, token_hash: bytes) -> Token | None:
    return one(tx, Token, f"SELECT {names(Token)} FROM tokens WHERE hash = ?", token_hash)


def everything(tx: Tx) -> list[Token]:
    return many(tx, Token, f"SELECT {names(Token)} FROM tokens ORDER BY created_at")


def of_user(tx: Tx, user_id: str) -> list[Token]:
    return many(tx, Token, f"SELECT {names(Token)} FROM tokens WHERE user_id = ? ORDER BY id", user_id)


def of_tenant(tx: Tx, tenant_id: str) -> list[Token]:
    return many(tx, Token, f"SELECT {names(Token)} FROM tokens WHERE tenant_id = ? ORDER BY id", tenant_id)


def revoke(tx: Tx, token_id: str, at: str) -> bool:
    """Revoke a token and all tokens created with it. False if there is no such token or it was revoked before."""
    tx.execute("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, token_id))
    if tx.changes() != 1:
        return False
    tx.execute("UPDATE tokens SET revoked_at = ? WHERE maker_token_id = ? AND revoked_at IS NULL", (at, token_id))
    return True


def used(tx: Tx, token_id: TokenId, at: str) -> None:
    tx.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", (at, token_id))
