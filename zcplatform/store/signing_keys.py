"""Which keys sign sessions: numbers and times only. The keys themselves are made from the root key by the worker."""

from zcplatform.store.db import Tx, scalar


def live(tx: Tx, at: str) -> list[int]:
    """Those whose signatures are good, newest first; the first one signs."""
    return [
        int(row[0])
        for row in tx.execute("SELECT number FROM signing_keys WHERE retires_at IS NULL OR retires_at > ? ORDER BY number DESC", (at,))
    ]


def first(tx: Tx, at: str) -> None:
    """An installation begins with one."""
    tx.execute("INSERT INTO signing_keys (number, created_at) SELECT 1, ? WHERE NOT EXISTS (SELECT 1 FROM signing_keys)", (at,))


def rotate(tx: Tx, at: str, retires_at: str) -> int:
    """The number of the new one. The ones before it are good until `retires_at` at the latest."""
    tx.execute("UPDATE signing_keys SET retires_at = ? WHERE retires_at IS NULL OR retires_at > ?", (retires_at, retires_at))
    number = int(scalar(tx, "SELECT coalesce(max(number), 0) + 1 FROM signing_keys"))
    tx.execute("INSERT INTO signing_keys (number, created_at) VALUES (?, ?)", (number, at))
    return number


def delete_before(tx: Tx, at: str) -> None:
    """Never the newest: numbers are not given twice."""
    tx.execute("DELETE FROM signing_keys WHERE retires_at < ?", (at,))
