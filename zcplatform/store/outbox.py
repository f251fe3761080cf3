"""Mail to be sent by the worker, and for some days its outcome. Only the worker can decrypt the box, which is deleted once the mail was sent."""

from dataclasses import dataclass

from zcplatform.ids import OutboxId
from zcplatform.store.db import Tx, many, names, one


@dataclass(frozen=True)
class Message:
    """`recipient` is a canonical address. It is emptied when the message ends, because it is no longer needed.

    `box` is None for a message that must not be sent; it is recorded as void.
    """

    id: OutboxId
    kind: str
    recipient: str
    status: str
    box: bytes | None
    attempts: int
    next_attempt_at: str
    error: str | None
    created_at: str
    expires_at: str
    ended_at: str | None


def put(tx: Tx, outbox_id: OutboxId, kind: str, recipient: str, box: bytes | None, at: str, expires_at: str) -> None:
    status, ended_at, recipient = ("void", at, "") if box is None else ("waiting", None, recipient)
    tx.execute(
        f"INSERT INTO outbox ({names(Message)}) VALUES (?, ?, ?, ?, ?, 0, ?, NULL, ?, ?, ?)",
        (outbox_id, kind, recipient, status, box, at, at, expires_at, ended_at),
    )


def get(tx: Tx, outbox_id: str) -> Message | None:
    return one(tx, Message, f"SELECT {names(Message)} FROM outbox WHERE id = ?", outbox_id)


def due(tx: Tx, at: str, latest: str, limit: int) -> list[Message]:
    """Return mail that has expired or whose next attempt is due, oldest first. A time after `latest` counts as due: the clock was ahead."""
    statement = (
        f"SELECT {names(Message)} FROM outbox WHERE status = 'waiting' AND (next_attempt_at <= ? OR next_attempt_at > ? OR expires_at <= ?)"
        " ORDER BY next_attempt_at LIMIT ?"
    )
    return many(tx, Message, statement, at, latest, at, limit)


def waiting(tx: Tx) -> list[Message]:
    return many(tx, Message, f"SELECT {names(Message)} FROM outbox WHERE status = 'waiting' ORDER BY id")


def rebox(tx: Tx, outbox_id: OutboxId, box: bytes) -> None:
    """Replace the box by one sealed for another key."""
    tx.execute("UPDATE outbox SET box = ? WHERE id = ? AND status = 'waiting'", (box, outbox_id))


def end(tx: Tx, outbox_id: OutboxId, status: str, at: str, error: str | None = None) -> bool:
    """End a message as sent, expired, failed or void, and delete its box. False if it had already ended."""
    tx.execute(
        "UPDATE outbox SET status = ?, box = NULL, recipient = '', error = ?, ended_at = ? WHERE id = ? AND status = 'waiting'",
        (status, error, at, outbox_id),
    )
    return tx.changes() == 1


def again(tx: Tx, outbox_id: OutboxId, error: str, next_attempt_at: str) -> None:
    tx.execute(
        "UPDATE outbox SET attempts = attempts + 1, error = ?, next_attempt_at = ? WHERE id = ? AND status = 'waiting'",
        (error, next_attempt_at, outbox_id),
    )


def expire(tx: Tx, at: str) -> int:
    """Void messages that are too old to be sent."""
    tx.execute(
        "UPDATE outbox SET status = 'expired', box = NULL, recipient = '', ended_at = ? WHERE status = 'waiting' AND expires_at <= ?",
        (at, at),
    )
    return tx.changes()


def delete_decoys_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM outbox WHERE created_at < ? AND status = 'void'", (at,))


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM outbox WHERE created_at < ? AND status != 'waiting'", (at,))
