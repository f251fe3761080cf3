"""Which keys sign sessions: numbers and times only. The worker derives the keys themselves from the root key."""

from zcplatform.store.db import Tx, scalar


def live(tx: Tx, at: str) -> list[int]:
    """Return the keys whose signatures are valid, newest first. The first one signs."""
    return [
        int(row[0])
        for row in tx.execute("SELECT number FROM signing_keys WHERE retires_at IS NULL OR retires_at > ? ORDER BY number DESC", (at,))
    ]


def first(tx: Tx, at: str) -> None:
    """Create the first key of an installation, if it has none."""
    tx.execute("INSERT INTO signing_keys (number, created_at) SELECT 1, ? WHERE NOT EXISTS (SELECT 1 FROM signing_keys)", (at,))


def rotate(tx: Tx, at: str, retires_at: str) -> int:
    """Add a key and return its number. Earlier ones are valid until `retires_at` at the latest."""
    tx.execute("UPDATE signing_keys SET retires_at = ? WHERE retires_at IS NULL OR retires_at > ?", (retires_at, retires_at))
    number = int(scalar(tx, "SELECT coalesce(max(number), 0) + 1 FROM signing_keys"))
    tx.execute("INSERT INTO signing_keys (number, created_at) VALUES (?, ?)", (number, at))
    return number


def delete_before(tx: Tx, at: str) -> None:
    """Delete retired keys, but never the newest, so that no number is used twice."""
    tx.execute("DELETE FROM signing_keys WHERE retires_at < ?", (at,))
