"""Single values about this installation: the worker's public seal key and the key check."""

from zcplatform.store.db import Tx, scalar


def get(tx: Tx, key: str) -> str | None:
    value = scalar(tx, "SELECT value FROM instance WHERE key = ?", key)
    return None if value is None else str(value)


def put(tx: Tx, key: str, value: str) -> None:
    tx.execute("INSERT INTO instance (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))


def remove(tx: Tx, key: str) -> None:
    tx.execute("DELETE FROM instance WHERE key = ?", (key,))
