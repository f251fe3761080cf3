"""A database that the web process, or somebody with the file in hand, has tampered with: refused by name, never waited for, never obeyed."""

import os
import resource
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from zcplatform.errors import CannotRun, Unavailable
from zcplatform.store import database_files, instance
from zcplatform.store.db import LONGEST_VALUE, Database, Tx, connect, open_read_only, scalar
from zcplatform.store.migrate import migrate
from zcplatform.store.schema import steps

SCHEMA_CHANGES = [
    "CREATE TRIGGER t AFTER INSERT ON sessions BEGIN UPDATE users SET is_super_admin = 1; END",
    "CREATE VIEW everybody AS SELECT * FROM users",
    "ALTER TABLE plans RENAME TO real_plans; CREATE VIEW plans AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i FROM n",
    "DROP TRIGGER audit_log_no_update",
    "CREATE TABLE more (a)",
    "CREATE INDEX slow ON users (name)",
]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def hostile(path: Path) -> apsw.Connection:
    """A connection as anybody may make it who can write the file."""
    return apsw.Connection(str(path))


@pytest.mark.parametrize("sql", SCHEMA_CHANGES)
def test_a_schema_that_changes_stops_every_transaction(database: Database, sql: str) -> None:
    database.read(lambda tx: instance.get(tx, "a"))
    other = hostile(database.path)
    other.execute(sql)
    for _ in range(2):
        for work in (
            lambda: database.read(lambda tx: instance.get(tx, "a")),
            lambda: database.write_now(lambda tx: instance.put(tx, "a", "b")),
        ):
            with pytest.raises(Unavailable) as found:
                work()
            assert found.value.code == "database.schema_changed"
    other.close()


@pytest.mark.parametrize("sql", SCHEMA_CHANGES)
def test_a_start_with_another_schema_is_refused(database: Database, sql: str) -> None:
    other = hostile(database.path)
    other.execute(sql)
    other.close()
    connection = connect(database.path, query_only=False)
    with pytest.raises(CannotRun) as refused:
        migrate(connection, database.path)
    assert refused.value.code == "database.schema_changed"
    assert "`" in refused.value.detail, "the object is named"


def test_a_trigger_never_runs_inside_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "db" / "a.db"
    path.parent.mkdir()
    number, sql = steps()[0]
    old = hostile(path)
    old.execute(f"{sql}; PRAGMA user_version = {number}; CREATE TRIGGER t AFTER INSERT ON plans BEGIN SELECT 1; END")
    old.close()
    with pytest.raises(CannotRun, match="unknown trigger `t`"):
        migrate(connect(path, query_only=False), path)
    assert list(tmp_path.glob("*.db")) == [], "no copy was made of it either"


def test_a_schema_that_is_put_right_again_is_accepted(database: Database) -> None:
    other = hostile(database.path)
    other.execute("CREATE TABLE more (a)")
    with pytest.raises(Unavailable):
        database.read(lambda tx: instance.get(tx, "a"))
    other.execute("DROP TABLE more")
    assert database.read(lambda tx: instance.get(tx, "a")) is None


def test_endless_statements_are_ended(database: Database) -> None:
    def endless(tx: Tx) -> object:
        return scalar(tx, ENDLESS)

    for work in (lambda: database.read(endless, 0.05), lambda: database.write_now(endless, 0.05)):
        with pytest.raises(Unavailable) as found:
            work()
        assert found.value.code == "database.slow"
    database.write_now(lambda tx: instance.put(tx, "a", "b"))
    assert database.read(lambda tx: instance.get(tx, "a")) == "b", "the connections work on"
    with pytest.raises(apsw.InterruptError), open_read_only(database.path, 0.05) as tx:
        endless(tx)


def test_no_connection_follows_a_view_or_writes_the_schema(database: Database) -> None:
    hostile(database.path).execute("CREATE VIEW v AS SELECT 1")
    connection = connect(database.path, query_only=False)
    with pytest.raises(apsw.SQLError):
        connection.execute("SELECT * FROM v").fetchall()
    with pytest.raises(apsw.SQLError):
        connection.execute("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema")
    with pytest.raises(apsw.SQLError):
        connection.execute("ATTACH '/etc/passwd' AS a")


def test_a_huge_row_is_an_error_and_no_memory(database: Database) -> None:
    other = hostile(database.path)
    other.execute(
        "INSERT INTO instance VALUES ('big', zeroblob(120000000))".replace("zeroblob(120000000)", "printf('%.*c', 120000000, 'x')")
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unavailable) as found:
        database.read(lambda tx: instance.get(tx, "big"))
    assert found.value.code == "database.oversized"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    database.write_now(lambda tx: instance.put(tx, "fits", "x" * (LONGEST_VALUE // 2)))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("make", [_pipe, _socket, _link, Path.mkdir])
def test_what_is_no_file_is_named_and_never_opened(tmp_path: Path, make: Callable[[Path], None], suffix: str) -> None:
    path = tmp_path / "a.db"
    made = connect(path, query_only=False)
    migrate(made, path)
    made.close()
    make(path.with_name(f"a.db{suffix}"))
    for work in (lambda: connect(path, query_only=False), lambda: open_read_only(path).__enter__()):
        with pytest.raises(CannotRun) as refused:
            work()
        assert refused.value.code == "database.file"
        assert f"a.db{suffix} is " in refused.value.detail


def test_a_hot_journal_is_refused(database: Database) -> None:
    """SQLite would roll it back into the database: pages that somebody else chose."""
    journal = database.path.with_name(database.path.name + "-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    with pytest.raises(CannotRun) as refused:
        connect(database.path, query_only=False)
    assert refused.value.code == "database.journal"
    assert str(journal) in refused.value.detail


@pytest.mark.parametrize("size", [0, 1, 100, 32_767])
def test_a_truncated_index_is_made_anew(database: Database, size: int) -> None:
    database.write_now(lambda tx: instance.put(tx, "a", "b"))
    database.close()
    database.path.with_name(database.path.name + "-shm").write_bytes(b"x" * size)
    again = Database(database.path)
    assert again.read(lambda tx: instance.get(tx, "a")) == "b"
    again.close()


def test_an_index_truncated_under_a_running_platform_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = connect(path, query_only=False)
    migrate(connection, path)
    connection.close()
    path.with_name("a.db-shm").write_bytes(b"x" * 100)
    with pytest.raises(CannotRun) as refused, open_read_only(path):
        pass
    assert refused.value.code == "database.shm"


def test_the_reserved_journal_is_ours_empty_and_harmless(database: Database) -> None:
    journal = database.path.with_name(database.path.name + "-journal")
    for _ in range(2):
        database_files.reserve_journal(database.path, os.getegid())
        found = journal.lstat()
        assert (found.st_size, stat.S_IMODE(found.st_mode), found.st_uid) == (0, 0o640, os.geteuid())
    other = Database(database.path)
    other.write_now(lambda tx: instance.put(tx, "a", "b"))
    other.close()
    assert database.read(lambda tx: instance.get(tx, "a")) == "b"
    assert journal.exists()
