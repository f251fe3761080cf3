"""Challenges: one for each code that was requested by a browser. A try is counted before the code is compared."""

from dataclasses import dataclass

from zcplatform.core.login import TRIES, Earlier
from zcplatform.ids import OutboxId, UserId
from zcplatform.store.db import Tx, many, names, one


@dataclass(frozen=True)
class Challenge:
    """`id` is the hash of the value in the browser's cookie. `email` is the new address, for a change of address."""

    id: bytes
    purpose: str
    user_id: UserId | None
    session_id: str | None
    email: str | None
    lane: str
    network: str
    code_mac: bytes
    outbox_id: OutboxId
    created_at: str
    expires_at: str


def insert(tx: Tx, challenge: Challenge) -> None:
    tx.execute(
        f"INSERT INTO challenges ({names(Challenge)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            challenge.id,
            challenge.purpose,
            challenge.user_id,
            challenge.session_id,
            challenge.email,
            challenge.lane,
            challenge.network,
            challenge.code_mac,
            challenge.outbox_id,
            challenge.created_at,
            challenge.expires_at,
        ),
    )


def count_try(tx: Tx, challenge_id: bytes, purpose: str, session_id: str | None, at: str) -> Challenge | None:
    """Use up one try of an open challenge and return it. None if no try is left, or if there is no such open challenge."""
    tx.execute(
        "UPDATE challenges SET tries = tries + 1 WHERE id = ? AND purpose = ? AND session_id IS ? AND status = 'open'"
        " AND tries < ? AND expires_at > ?",
        (challenge_id, purpose, session_id, TRIES, at),
    )
    if tx.changes() != 1:
        return None
    return one(tx, Challenge, f"SELECT {names(Challenge)} FROM challenges WHERE id = ?", challenge_id)


def use(tx: Tx, challenge_id: bytes) -> bool:
    """Mark the challenge as used. False if another request did so first."""
    tx.execute("UPDATE challenges SET status = 'used' WHERE id = ? AND status = 'open'", (challenge_id,))
    return tx.changes() == 1


def supersede(tx: Tx, held: bytes, purpose: str, user_id: str, network: str) -> list[OutboxId]:
    """Void older challenges of this browser, and those requested for this account from the same network. Return the ids of their mails.

    Challenges requested elsewhere stay open. Otherwise strangers could void the owner's code with each of their requests.
    """
    voided = many(
        tx,
        _Message,
        "SELECT outbox_id FROM challenges WHERE status = 'open' AND purpose = ? AND (id = ? OR (user_id = ? AND network = ?))",
        purpose,
        held,
        user_id,
        network,
    )
    tx.execute(
        "UPDATE challenges SET status = 'void' WHERE status = 'open' AND purpose = ? AND (id = ? OR (user_id = ? AND network = ?))",
        (purpose, held, user_id, network),
    )
    return [message.outbox_id for message in voided]


def void_of_user(tx: Tx, user_id: str) -> list[OutboxId]:
    """Void all codes sent for an account whose owner or address changed."""
    voided = many(tx, _Message, "SELECT outbox_id FROM challenges WHERE status = 'open' AND user_id = ?", user_id)
    tx.execute("UPDATE challenges SET status = 'void' WHERE status = 'open' AND user_id = ?", (user_id,))
    return [message.outbox_id for message in voided]


def earlier(tx: Tx, user_id: str, lane: str, since: str, at: str) -> list[Earlier]:
    """Return challenges created between `since` and `at`. One from the future was created while the clock was ahead, and does not count."""
    found = tx.execute(
        "SELECT created_at, tries, status = 'used', status = 'open' AND expires_at > ? FROM challenges"
        " WHERE user_id = ? AND lane = ? AND created_at > ? AND created_at <= ?",
        (at, user_id, lane, since, at),
    )
    return [Earlier(created_at, tries, bool(is_used), bool(is_open)) for created_at, tries, is_used, is_open in found]


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM challenges WHERE created_at < ?", (at,))


def delete_decoys_before(tx: Tx, at: str) -> None:
    """Delete expired challenges that no mail was sent for. They count towards no limit, and a flood of requests would fill the table."""
    tx.execute("DELETE FROM challenges WHERE user_id IS NULL AND expires_at < ?", (at,))


@dataclass(frozen=True)
class _Message:
    outbox_id: OutboxId
