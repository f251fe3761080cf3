"""Answers already given for an Idempotency-Key, so that a repeat gets the same one and nothing happens twice."""

from dataclasses import dataclass

from zcplatform.store.db import Tx, names, one


@dataclass(frozen=True)
class FirstResponse:
    """`answer` is None where the answer carried a credential: it is never kept and never given again."""

    actor: str
    route: str
    key: str
    request_hash: str
    status: int
    answer: str | None
    created_at: str


def get(tx: Tx, actor: str, route: str, key: str) -> FirstResponse | None:
    return one(
        tx,
        FirstResponse,
        f"SELECT {names(FirstResponse)} FROM idempotency_keys WHERE actor = ? AND route = ? AND key = ?",
        actor,
        route,
        key,
    )


def keep(tx: Tx, kept: FirstResponse) -> None:
    tx.execute(
        f"INSERT INTO idempotency_keys ({names(FirstResponse)}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (kept.actor, kept.route, kept.key, kept.request_hash, kept.status, kept.answer, kept.created_at),
    )


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (at,))
