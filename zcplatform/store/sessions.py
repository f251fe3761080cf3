"""Sessions of users, and the browsers they signed in with. The row is read on every request, so a session ended here is ended everywhere."""

from dataclasses import dataclass

from zcplatform.ids import SessionId, UserId
from zcplatform.store.db import Tx, many, names, one, scalar


@dataclass(frozen=True)
class Session:
    """`address` is where the sign-in came from, `network` what it counts as for limits, `agent` the browser's User-Agent."""

    id: SessionId
    user_id: UserId
    method: str
    address: str
    network: str
    agent: str
    created_at: str
    last_used_at: str
    idle_until: str
    expires_at: str
    stepped_up_at: str | None


_ACTIVE = "ended_at IS NULL AND expires_at > ? AND idle_until > ?"


def insert(tx: Tx, session: Session) -> None:
    tx.execute(
        f"INSERT INTO sessions ({names(Session)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session.id,
            session.user_id,
            session.method,
            session.address,
            session.network,
            session.agent,
            session.created_at,
            session.last_used_at,
            session.idle_until,
            session.expires_at,
            session.stepped_up_at,
        ),
    )


def active(tx: Tx, session_id: str, at: str) -> Session | None:
    """Return an active session, or None if it ended, idled out or expired."""
    return one(tx, Session, f"SELECT {names(Session)} FROM sessions WHERE id = ? AND " + _ACTIVE, session_id, at, at)


def of_user(tx: Tx, user_id: str, at: str) -> list[Session]:
    """Return a user's active sessions, newest first."""
    return many(
        tx, Session, f"SELECT {names(Session)} FROM sessions WHERE user_id = ? AND " + _ACTIVE + " ORDER BY id DESC", user_id, at, at
    )


def used(tx: Tx, session_id: str, at: str, idle_until: str) -> None:
    """Extend a session's idle time, unless it idled out meanwhile."""
    tx.execute("UPDATE sessions SET last_used_at = ?, idle_until = ? WHERE id = ? AND " + _ACTIVE, (at, idle_until, session_id, at, at))


def stepped_up(tx: Tx, session_id: str, at: str) -> None:
    tx.execute("UPDATE sessions SET stepped_up_at = ? WHERE id = ?", (at, session_id))


def end(tx: Tx, session_id: str, user_id: str, at: str, reason: str) -> bool:
    """End a session. False if the user has no such active session."""
    tx.execute(
        "UPDATE sessions SET ended_at = ?, end_reason = ? WHERE id = ? AND user_id = ? AND ended_at IS NULL",
        (at, reason, session_id, user_id),
    )
    return tx.changes() == 1


def end_all(tx: Tx, user_id: str, at: str, reason: str, kept: str = "") -> int:
    """End all sessions of a user except `kept`, and forget their browsers, which then count as strangers."""
    statement = "UPDATE sessions SET ended_at = ?, end_reason = ? WHERE user_id = ? AND id != ? AND ended_at IS NULL"
    tx.execute(statement, (at, reason, user_id, kept))
    ended = tx.changes()
    tx.execute("DELETE FROM browsers WHERE user_id = ?", (user_id,))
    return ended


def was_used_from(tx: Tx, user_id: str, network: str, since: str) -> bool:
    return bool(
        scalar(tx, "SELECT EXISTS (SELECT 1 FROM sessions WHERE user_id = ? AND created_at > ? AND network = ?)", user_id, since, network)
    )


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM sessions WHERE expires_at < ?", (at,))


def knows_browser(tx: Tx, browser: bytes, user_id: str, since: str) -> bool:
    statement = "SELECT EXISTS (SELECT 1 FROM browsers WHERE hash = ? AND user_id = ? AND last_login_at > ?)"
    return bool(scalar(tx, statement, browser, user_id, since))


def keep_browser(tx: Tx, browser: bytes, user_id: str, at: str) -> None:
    tx.execute(
        "INSERT INTO browsers (hash, user_id, created_at, last_login_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (hash, user_id) DO UPDATE SET last_login_at = excluded.last_login_at",
        (browser, user_id, at, at),
    )


def delete_browsers_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM browsers WHERE last_login_at < ?", (at,))
