"""The promises of the database layer, on real SQLite."""

import threading
from pathlib import Path

import apsw
import pytest

from zcplatform.errors import StorageFull
from zcplatform.store import instance
from zcplatform.store.db import Database, ReadCache, Tx, connect, scalar


def test_the_pragmas_that_keep_the_promises(database: Database) -> None:
    def look(tx: Tx) -> list[object]:
        return [tx.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "secure_delete")]

    assert database.write_now(look) == ["wal", 2, 1, 0, 1]


def test_a_reader_can_not_write(database: Database) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        connect(database.path, query_only=True).execute("INSERT INTO instance VALUES ('a', 'b')")


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    def half(tx: Tx) -> None:
        instance.put(tx, "a", "b")
        raise LookupError

    with pytest.raises(LookupError):
        database.write_now(half)
    assert database.read(lambda tx: instance.get(tx, "a")) is None


def test_a_read_sees_one_snapshot(database: Database) -> None:
    other = Database(database.path)

    def look(tx: Tx) -> tuple[object, object]:
        before = scalar(tx, "SELECT count(*) FROM instance")
        other.write_now(lambda tx: instance.put(tx, "a", "b"))
        return before, scalar(tx, "SELECT count(*) FROM instance")

    before, after = database.read(look)
    assert before == after
    assert database.read(lambda tx: instance.get(tx, "a")) == "b"
    other.close()


def test_two_processes_that_read_and_then_write_never_lose_an_update(database: Database) -> None:
    """Deferred transactions fail here with BUSY_SNAPSHOT or lose counts; IMMEDIATE ones wait their turn."""
    database.write_now(lambda tx: instance.put(tx, "n", "0"))

    def count(opened: Database) -> None:
        for _ in range(200):
            opened.write_now(lambda tx: instance.put(tx, "n", str(int(instance.get(tx, "n") or 0) + 1)))

    others = [Database(database.path) for _ in range(3)]
    threads = [threading.Thread(target=count, args=(opened,)) for opened in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(lambda tx: instance.get(tx, "n")) == "600"
    for opened in others:
        opened.close()


def test_a_full_disk_is_told_and_nothing_is_lost(database: Database) -> None:
    pages = database.write_now(lambda tx: tx.pragma("page_count"))

    def fill(tx: Tx) -> None:
        tx.pragma("max_page_count", pages)
        instance.put(tx, "big", "x" * 1_000_000)

    with pytest.raises(StorageFull):
        database.write_now(fill)
    assert database.read(lambda tx: instance.get(tx, "big")) is None
    database.write_now(lambda tx: tx.pragma("max_page_count", 1_000_000))
    database.write_now(lambda tx: instance.put(tx, "big", "y"))
    assert database.read(lambda tx: instance.get(tx, "big")) == "y"


def test_what_was_read_is_kept_until_somebody_commits(database: Database) -> None:
    kept, asked = ReadCache(database), []

    def read(tx: Tx) -> str | None:
        asked.append(1)
        return instance.get(tx, "a")

    for value in ("b", "c"):
        database.write_now(lambda tx, value=value: instance.put(tx, "a", value))  # type: ignore[misc]
        assert [kept.get("a", read), kept.get("a", read)] == [value, value]
    assert len(asked) == 2
    for _ in range(2):
        with pytest.raises(LookupError):
            kept.get("never", _nothing)


def _nothing(tx: Tx) -> str:
    raise LookupError


def test_data_version_changes_when_another_connection_commits(database: Database, tmp_path: Path) -> None:
    other = Database(database.path)
    before = database.data_version()
    assert database.data_version() == before
    other.write_now(lambda tx: instance.put(tx, "a", "b"))
    assert database.data_version() != before
    other.close()
