"""Bearer tokens, stored as keyed hashes."""

from dataclasses import dataclass

from zcplatform.ids import TokenId
from zcplatform.store.db import Tx, many, names, one


@dataclass(frozen=True)
class Token:
    """`hint` is the token's first characters, for people who look for it in their files."""

    id: TokenId
    name: str
    hash: bytes
    hint: str
    created_at: str
    expires_at: str
    last_used_at: str | None
    revoked_at: str | None


def insert(tx: Tx, token: Token) -> None:
    tx.execute(
        f"INSERT INTO tokens ({names(Token)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            token.id,
            token.name,
            token.hash,
            token.hint,
            token.created_at,
            token.expires_at,
            token.last_used_at,
            token.revoked_at,
        ),
    )


def by_hash(tx: Tx, token_hash: bytes) -> Token | None:
    return one(tx, Token, f"SELECT {names(Token)} FROM tokens WHERE hash = ?", token_hash)


def everything(tx: Tx) -> list[Token]:
    return many(tx, Token, f"SELECT {names(Token)} FROM tokens ORDER BY created_at")


def revoke(tx: Tx, token_id: str, at: str) -> bool:
    """False when there is no such token or it was revoked before."""
    tx.execute("UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL", (at, token_id))
    return tx.changes() == 1


def used(tx: Tx, token_id: TokenId, at: str) -> None:
    tx.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", (at, token_id))
