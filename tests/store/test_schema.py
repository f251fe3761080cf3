"""The schema: its steps add up to what is written for reading, are killed safely, and a newer one is refused."""

from importlib.resources import files
from pathlib import Path

import apsw
import pytest

from zcplatform.errors import CannotRun
from zcplatform.store import schema
from zcplatform.store.db import connect
from zcplatform.store.migrate import migrate, version
from zcplatform.store.schema import steps


def test_the_steps_add_up_to_the_schema() -> None:
    whole = schema.made_by([files("zcplatform.store").joinpath("schema.sql").read_text()])
    assert schema.differences(whole, schema.made_by([sql for _, sql in steps()])) == []


@pytest.mark.parametrize(
    ("sql", "difference"),
    [
        ("DROP INDEX tenants_image", "missing index `tenants_image`"),
        ("ALTER TABLE members ADD COLUMN since TEXT", "changed table `members`"),
        ("CREATE VIEW everybody AS SELECT id FROM users", "unknown view `everybody`"),
        ("CREATE TRIGGER t AFTER INSERT ON sessions BEGIN UPDATE users SET is_super_admin = 1; END", "unknown trigger `t`"),
        ("DROP TRIGGER audit_log_no_update", "missing trigger `audit_log_no_update`"),
    ],
)
def test_a_difference_is_named(sql: str, difference: str) -> None:
    expected = schema.made_by([step for _, step in steps()])
    assert schema.differences(expected, schema.made_by([*(step for _, step in steps()), sql])) == [difference]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE TABLE a (b TEXT, -- why\n c INTEGER) STRICT", 'CREATE TABLE "a" (\nc INTEGER,b TEXT)STRICT'),
        (
            "CREATE TABLE a (b TEXT CHECK (b IN ('x', 'y')), PRIMARY KEY (b))",
            "CREATE TABLE a (PRIMARY KEY (b), b TEXT CHECK(b IN ('x','y')))",
        ),
    ],
)
def test_spelling_and_order_mean_nothing(one: str, other: str) -> None:
    assert schema.meaning(one) == schema.meaning(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE TABLE a (b TEXT CHECK (b IN ('x', 'y')))", "CREATE TABLE a (b TEXT CHECK (b IN ('y', 'x', 'z')))"),
        ("CREATE TABLE a (b TEXT DEFAULT 'x  y')", "CREATE TABLE a (b TEXT DEFAULT 'x y')"),
        ("CREATE TABLE a (b TEXT) STRICT", "CREATE TABLE a (b TEXT)"),
        ('CREATE TABLE a ("b TEXT")', "CREATE TABLE a (b TEXT)"),
        ("CREATE INDEX i ON a (b, c)", "CREATE INDEX i ON a (c, b)"),
    ],
)
def test_what_differs_in_meaning_differs(one: str, other: str) -> None:
    assert schema.meaning(one) != schema.meaning(other)


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
    before = schema.objects(connection)
    assert migrate(connection, tmp_path / "a.db") == steps()[-1][0]
    assert schema.objects(connection) == before


def test_a_step_that_is_cut_off_leaves_the_old_schema(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", query_only=False)
    number, sql = steps()[0]
    with pytest.raises(apsw.SQLError):
        connection.execute(f"BEGIN IMMEDIATE; {sql}; SELECT * FROM no_such_table; PRAGMA user_version = {number}; COMMIT")
    connection.close()
    again = connect(tmp_path / "a.db", query_only=False)
    assert version(again) == 0
    assert schema.objects(again) == {}
    assert migrate(again, tmp_path / "a.db") == steps()[-1][0]


def test_a_newer_schema_is_refused_and_untouched(tmp_path: Path) -> None:
    connection = connect(tmp_path / "a.db", query_only=False)
    migrate(connection, tmp_path / "a.db")
    connection.execute("PRAGMA user_version = 9999")
    with pytest.raises(CannotRun) as refused:
        migrate(connection, tmp_path / "a.db")
    assert refused.value.code == "database.newer"
    assert version(connection) == 9999
