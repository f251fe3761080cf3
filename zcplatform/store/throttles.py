"""Rate counters in the database: windows of fixed length that begin with their first count."""

from zcplatform.store.db import Tx, scalar

LATEST = "9999"


def hit(tx: Tx, key: str, at: str, window_began: str) -> tuple[int, int]:
    """Count one more. Return (count of the current window, count of the previous window if this call ended it, else 0).

    A window that began at `window_began` or before has ended. One that begins in the future, because the clock was ahead, is moved to begin now,
    so that no window is longer than its length.
    """
    row = tx.execute("SELECT started_at, count FROM throttles WHERE key = ?", (key,)).fetchone()
    if row is not None and row[0] > window_began:
        tx.execute("UPDATE throttles SET count = count + 1, started_at = min(started_at, ?) WHERE key = ?", (at, key))
        return int(row[1]) + 1, 0
    tx.execute(
        "INSERT INTO throttles (key, started_at, count) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET started_at = excluded.started_at, count = 1",
        (key, at),
    )
    return 1, 0 if row is None else int(row[1])


def count(tx: Tx, key: str, window_began: str = "", at: str = LATEST) -> int:
    """Return the count of the current window."""
    return int(scalar(tx, "SELECT count FROM throttles WHERE key = ? AND started_at > ? AND started_at <= ?", key, window_began, at) or 0)


def delete_before(tx: Tx, at: str) -> None:
    tx.execute("DELETE FROM throttles WHERE started_at < ?", (at,))
