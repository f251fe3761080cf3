"""Migrations: numbered steps, forward only, each in one transaction, after a copy of the database was made."""

import os
from pathlib import Path

import apsw

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.errors import CannotRun
from zcplatform.store import audit, schema


def version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))


def migrate(connection: apsw.Connection, path: Path) -> int:
    """Migrate the database to the newest schema and return its version.

    Raises CannotRun for a schema of a newer version, and for one that was edited: its triggers would run during the migration.
    """
    known = schema.steps()
    newest = known[-1][0]
    current = version(connection)
    if current > newest:
        raise CannotRun(
            "database.newer",
            f"{path} has schema {current}; this version supports schemas up to {newest}",
            "Start the newer version again, or restore a copy from before it was used",
        )
    schema.require_known(connection)
    if 0 < current < newest:
        _snapshot(connection, path.parent.parent / f"{path.stem}.before-schema-{newest}.db")
    for number, sql in known:
        if number > current:
            _step(connection, number, sql, migrated_from=current if number == newest and current else None)
    return newest


def _step(connection: apsw.Connection, number: int, sql: str, migrated_from: int | None) -> None:
    """Run one step and set the version in the same transaction. The last step writes the audit entry, because its table is current by then."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(sql)
        if migrated_from is not None:
            changes = {"schema": [migrated_from, number]}
            audit.append(
                connection, Entry(clock.text(clock.now()), "system:migrate", "schema.migrate", f"schema {number}", changes=changes)
            )
        connection.pragma("user_version", number)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _snapshot(connection: apsw.Connection, path: Path) -> None:
    """Copy the database to a folder that the web process cannot write. A copy of an earlier attempt may be incomplete and is replaced."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    copy = apsw.Connection(str(path))
    with copy.backup("main", connection, "main") as backup:
        while not backup.done:
            backup.step(1_000)
    copy.close()
