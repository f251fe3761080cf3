"""The schema: its steps add up to what is written for reading, are killed safely, and a newer one is refused."""

from importlib.resources import files
from pathlib import Path

import apsw
import pytest

from zcplatform.errors import CannotRun
from zcplatform.store.db import connect
from zcplatform.store.migrate import migrate, steps, version


def _objects(connection: apsw.Connection) -> list[tuple[object, ...]]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY type, name")
    return [tuple(row) for row in rows]


def test_the_steps_add_up_to_the_schema(tmp_path: Path) -> None:
    stepped = connect(tmp_path / "stepped.db", query_only=False)
    migrate(stepped, tmp_path / "stepped.db")
    whole = connect(tmp_path / "whole.db", query_only=False)
    whole.execute(files("zcplatform.store").joinpath("schema.sql").read_text())
    assert _objects(stepped) == _objects(whole)


def test_every_table_is_strict(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", query_only=False)
    migrate(connection, tmp_path / "a.db")
    lax = connection.execute(
        "SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
    )
    assert lax.fetchall() == []


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", query_only=False)
    migrate(connection, tmp_path / "a.db")
    before = _objects(connection)
    assert migrate(connection, tmp_path / "a.db") == steps()[-1][0]
    assert _objects(connection) == before


def test_a_step_that_is_cut_off_leaves_the_old_schema(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", query_only=False)
    number, sql = steps()[0]
    with pytest.raises(apsw.SQLError):
        connection.execute(f"BEGIN IMMEDIATE; {sql}; SELECT * FROM no_such_table; PRAGMA user_version = {number}; COMMIT")
    connection.close()
    again = connect(tmp_path / "a.db", query_only=False)
    assert version(again) == 0
    assert _objects(again) == []
    assert migrate(again, tmp_path / "a.db") == steps()[-1][0]


def test_a_newer_schema_is_refused_and_untouched(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", query_only=False)
    migrate(connection, tmp_path / "a.db")
    connection.execute("PRAGMA user_version = 9999")
    with pytest.raises(CannotRun) as refused:
        migrate(connection, tmp_path / "a.db")
    assert refused.value.code == "database.newer"
    assert version(connection) == 9999
