"""Requests with an Idempotency-Key and what they returned, so that a retry returns the same and changes nothing."""

from dataclasses import dataclass

from zcplatform.store.db import Tx, names, one


@dataclass(frozen=True)
class FirstRequest:
    """`result` holds the rows that were returned (`ops.replays`). It is NULL for a credential, which is never kept."""

    actor: str
    route: str
    key: str
    request_hash: str
    result: str | None
    created_at: str


def get(tx: Tx, actor: str, route: str, key: str) -> FirstRequest | None:
    statement = f"SELECT {names(FirstRequest)} FROM idempotency_keys WHERE actor = ? AND route = ? AND key = ?"
    return one(tx, FirstRequest, statement, actor, route, key)


def keep(tx: Tx, row: FirstRequest) -> None:
    tx.execute(
        f"INSERT INTO idempotency_keys ({names(FirstRequest)}) VALUES (?, ?, ?, ?, ?, ?)",
        (row.actor, row.route, row.key, row.request_hash, row.result, row.created_at),
    )


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (at,))
