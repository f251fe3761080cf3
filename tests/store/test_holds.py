"""The step that turns suspensions into holds: nobody runs who did not, and who ran before the suspension runs after it."""

from pathlib import Path

from zcplatform.store import audit, tenants
from zcplatform.store.db import Database, connect
from zcplatform.store.migrate import migrate, version
from zcplatform.store.schema import steps

AT = "2026-01-01T00:00:00.000Z"
BEFORE = next(number for number, sql in steps() if "CREATE TABLE holds" in sql) - 1


def _old(path: Path) -> None:
    """A database of the version before, with a suspended tenant that ran, one that did not, and one that is not suspended."""
    connection = connect(path, query_only=False)
    for number, sql in steps():
        if number <= BEFORE:
            connection.execute(f"BEGIN IMMEDIATE; {sql}; PRAGMA user_version = {number}; COMMIT")
    connection.execute("BEGIN")
    for slug, wanted, reason, runs in (("ran", "stopped", "the bill", 1), ("idle", "stopped", "x" * 300, 0), ("free", "running", None, 0)):
        connection.execute(
            "INSERT INTO tenants (id, slug, name, plan, wanted, suspended_reason, suspended_runs, created_at, updated_at)"
            " VALUES (?, ?, 'x', 'free', ?, ?, ?, ?, ?)",
            (f"ten_{slug}", slug, wanted, reason, runs, AT, AT),
        )
        connection.execute(
            "INSERT INTO revisions (tenant_id, number, settings, author, created_at) VALUES (?, 1, '{}', 'x', ?)", (f"ten_{slug}", AT)
        )
    connection.execute("COMMIT")
    connection.close()


def test_a_suspension_becomes_a_hold(tmp_path: Path) -> None:
    path = tmp_path / "db" / "zcplatform.db"
    path.parent.mkdir()
    _old(path)
    connection = connect(path, query_only=False)
    assert migrate(connection, path) == version(connection)
    connection.close()
    database = Database(path)
    rows = {row.slug: row for row in database.read(tenants.everything)}
    assert {slug: (row.wanted, row.effective_wanted, len(row.holds)) for slug, row in rows.items()} == {
        "ran": ("running", "stopped", 1),
        "idle": ("stopped", "stopped", 1),
        "free": ("running", "running", 0),
    }
    (hold,) = rows["ran"].holds
    assert (hold.kind, hold.reason, hold.since, hold.by) == ("suspended", "the bill", AT, "")
    assert isinstance(database.read(audit.verify), int), "the audit chain verifies"
    database.close()
