"""Challenges: what a browser that asked for a code has to answer. Tries are counted here, before anything is compared."""

from dataclasses import dataclass

from zcplatform.core.login import TRIES, Earlier
from zcplatform.ids import OutboxId, UserId
from zcplatform.store.db import Tx, many, names, one


@dataclass(frozen=True)
class Challenge:
    """`id` is the hash of what the browser holds. `email` is the address that a change of address is about."""

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
    """One try of an open challenge is gone, whatever comes of it. None when there is none left, or no such challenge that is still good."""
    tx.execute(
        "UPDATE challenges SET tries = tries + 1 WHERE id = ? AND purpose = ? AND session_id IS ? AND status = 'open'"
        " AND tries < ? AND expires_at > ?",
        (challenge_id, purpose, session_id, TRIES, at),
    )
    if tx.changes() != 1:
        return None
    return one(tx, Challenge, f"SELECT {names(Challenge)} FROM challenges WHERE id = ?", challenge_id)


def use(tx: Tx, challenge_id: bytes) -> bool:
    """Once. False when somebody else did."""
    tx.execute("UPDATE challenges SET status = 'used' WHERE id = ? AND status = 'open'", (challenge_id,))
    return tx.changes() == 1


def supersede(tx: Tx, held: bytes, purpose: str, user_id: str, network: str) -> list[OutboxId]:
    """A newer one voids what this browser held, and what was asked for this account from the same network. Gives the messages of these.

    Not what others asked for elsewhere: they could void the owner's code with every request of theirs.
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
    return [one.outbox_id for one in voided]


def void_of_user(tx: Tx, user_id: str) -> list[OutboxId]:
    """The account changed hands or address: no code that was sent for it is good any more."""
    voided = many(tx, _Message, "SELECT outbox_id FROM challenges WHERE status = 'open' AND user_id = ?", user_id)
    tx.execute("UPDATE challenges SET status = 'void' WHERE status = 'open' AND user_id = ?", (user_id,))
    return [one.outbox_id for one in voided]


def earlier(tx: Tx, user_id: str, lane: str, since: str, at: str) -> list[Earlier]:
    """Those made between `since` and `at`. One from the future was made while the clock was ahead, and blocks nobody."""
    found = tx.execute(
        "SELECT created_at, tries, status = 'used', status = 'open' AND expires_at > ? FROM challenges"
        " WHERE user_id = ? AND lane = ? AND created_at > ? AND created_at <= ?",
        (at, user_id, lane, since, at),
    )
    return [Earlier(created_at, tries, bool(is_used), bool(is_open)) for created_at, tries, is_used, is_open in found]


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM challenges WHERE created_at < ?", (at,))


def delete_decoys_before(tx: Tx, at: str) -> None:
    """Those that nothing was sent for count for nothing once they are over: a flood of requests leaves nothing behind."""
    tx.execute("DELETE FROM challenges WHERE user_id IS NULL AND expires_at < ?", (at,))


@dataclass(frozen=True)
class _Message:
    outbox_id: OutboxId
