"""Numbered steps, forward only. Each runs in one transaction; a snapshot is taken before; a newer schema is refused."""

import os
from importlib.resources import files
from pathlib import Path

import apsw

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.errors import CannotRun
from zcplatform.store import audit


def steps() -> list[tuple[int, str]]:
    """(number, SQL) in order; the number is the schema version after the step."""
    found = [entry for entry in files("zcplatform.store").joinpath("steps").iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name.split("_")[0]), entry.read_text(encoding="utf-8")) for entry in found)


def version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))


def migrate(connection: apsw.Connection, path: Path) -> int:
    """Bring the database to the newest schema and return its version. Raises CannotRun for one from a newer program."""
    known = steps()
    newest = known[-1][0]
    current = version(connection)
    if current > newest:
        raise CannotRun(
            "database.newer",
            f"{path} has schema {current}; this program knows schemas up to {newest}",
            "start the newer program again, or restore a copy made before it was used",
        )
    if 0 < current < newest:
        _snapshot(connection, path.parent.parent / f"{path.stem}.before-schema-{newest}.db")
    for number, sql in known:
        if number > current:
            _step(connection, number, sql, told_from=current if number == newest and current else None)
    return newest


def _step(connection: apsw.Connection, number: int, sql: str, told_from: int | None) -> None:
    """The step and the new version together; with the last one goes the audit entry of all, whose table is the newest by then."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(sql)
        if told_from is not None:
            changes = {"schema": [told_from, number]}
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
    """A whole copy, outside of the folder that the web process may write; an older attempt's is replaced, it may be half written."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    copy = apsw.Connection(str(path))
    with copy.backup("main", connection, "main") as backup:
        while not backup.done:
            backup.step(1_000)
    copy.close()
