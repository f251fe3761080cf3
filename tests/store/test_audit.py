"""The chain of the audit log finds an edit, a removal and a swap, from the file alone."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from zcplatform.core.audit import GENESIS, Entry, entry_hash
from zcplatform.store import audit
from zcplatform.store.db import Database, Tx, connect
from zcplatform.store.migrate import migrate
from zcplatform.store.schema import steps

AT = "2026-01-01T00:00:00.000Z"


def _fill(database: Database) -> None:
    for number in range(5):
        database.write_now(
            lambda tx, number=number: audit.append(
                tx, Entry(AT, "token:me", "tenant.create", f"ten_{number}", changes={"n": [None, number]})
            )
        )  # type: ignore[misc]


def test_a_whole_chain_verifies(database: Database) -> None:
    _fill(database)
    assert database.read(audit.verify) == 5


@pytest.mark.parametrize("verb", ["UPDATE audit_log SET actor = 'somebody'", "DELETE FROM audit_log"])
def test_the_application_can_neither_change_nor_remove(database: Database, verb: str) -> None:
    _fill(database)
    with pytest.raises(apsw.ConstraintError):
        database.write_now(lambda tx: tx.execute(verb))
    assert database.read(audit.verify) == 5


def _behind_the_triggers(database: Database, work: Callable[[Tx], object]) -> None:
    """As somebody with the file in hand, who puts the schema right again."""
    other = apsw.Connection(str(database.path))
    triggers = other.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        other.execute(f"DROP TRIGGER {name}")
    work(other)
    for _, sql in triggers:
        other.execute(str(sql))
    other.close()


def _edit(tx: Tx) -> None:
    tx.execute("UPDATE audit_log SET object = 'ten_x' WHERE sequence = 3")


def _remove(tx: Tx) -> None:
    tx.execute("DELETE FROM audit_log WHERE sequence = 3")


def _swap(tx: Tx) -> None:
    tx.execute("UPDATE audit_log SET sequence = 99 WHERE sequence = 3")
    tx.execute("UPDATE audit_log SET sequence = 3 WHERE sequence = 4")
    tx.execute("UPDATE audit_log SET sequence = 4 WHERE sequence = 99")


@pytest.mark.parametrize(("tamper", "found_at"), [(_edit, 3), (_remove, 4), (_swap, 3)])
def test_tampering_behind_the_triggers_is_found(database: Database, tamper: Callable[[Tx], None], found_at: int) -> None:
    _fill(database)
    _behind_the_triggers(database, tamper)
    assert database.read(audit.verify) == audit.Break(found_at)


def test_each_field_is_covered() -> None:
    entry = Entry(AT, "a", "b", "c", "d", "e", "f", "g", {"h": 1}, "i")
    fields = ["at", "actor", "action", "object", "tenant_id", "role", "address", "outcome", "request_id"]
    changed = [Entry(**{**entry.__dict__, name: "changed"}) for name in fields] + [Entry(**{**entry.__dict__, "changes": {}})]
    assert len({entry_hash(GENESIS, one) for one in [entry, *changed]}) == 11


def _prune(tx: Tx, sequence: int) -> int:
    hash_ = tx.execute("SELECT hash FROM audit_log WHERE sequence = ?", (sequence,)).fetchone()[0]
    return audit.prune(tx, audit.Checkpoint(sequence, hash_, AT, b"signer", b"signature"))


def test_a_cut_tail_is_found_also_when_the_log_goes_on(database: Database) -> None:
    _fill(database)
    sequence, hash_ = database.read(audit.head)
    _behind_the_triggers(database, lambda tx: tx.execute("DELETE FROM audit_log WHERE sequence > 3"))
    assert database.read(audit.verify) == audit.Break(4)
    database.write_now(lambda tx: tx.execute("UPDATE sqlite_sequence SET seq = 3 WHERE name = 'audit_log'"))
    assert database.read(audit.verify) == 3, "who has the file in hand can hide the cut from the file alone"
    assert database.read(lambda tx: audit.follow(tx, {sequence: hash_})) == audit.Break(4)
    _fill(database)
    assert database.read(audit.verify) == 8
    assert database.read(lambda tx: audit.follow(tx, {sequence: hash_})) == audit.Break(5)


def test_what_a_checkpoint_covers_goes_and_the_rest_is_verified_from_it(database: Database) -> None:
    _fill(database)
    assert database.write_now(lambda tx: _prune(tx, 3)) == 3
    found = database.read(lambda tx: audit.follow(tx, {}))
    assert isinstance(found, audit.Chain)
    assert (found.entries, found.sequence, found.checkpoint and found.checkpoint.sequence) == (2, 5, 3)
    for statement in ("DELETE FROM audit_log", "DELETE FROM audit_checkpoints", "UPDATE audit_checkpoints SET sequence = 9"):
        with pytest.raises(apsw.ConstraintError):
            database.write_now(lambda tx, statement=statement: tx.execute(statement))  # type: ignore[misc]
    _fill(database)
    assert database.read(audit.verify) == 7


def test_the_newest_entry_is_never_pruned(database: Database) -> None:
    _fill(database)
    found = database.read(lambda tx: audit.last_before(tx, "2999-01-01T00:00:00.000Z"))
    assert found is not None
    assert found[0] == 4
    assert database.read(lambda tx: audit.last_before(tx, AT)) is None


def test_an_entry_of_another_kind_breaks_the_chain_and_not_the_program(database: Database) -> None:
    _fill(database)
    _behind_the_triggers(database, lambda tx: tx.execute("UPDATE audit_log SET changes = '[1]' WHERE sequence = 2"))
    assert database.read(audit.verify) == audit.Break(2)


def test_a_migration_is_told(tmp_path: Path) -> None:
    connection = connect(tmp_path / "old.db", query_only=False)
    for number, sql in steps()[:-1]:
        connection.execute(f"BEGIN; {sql}; PRAGMA user_version = {number}; COMMIT")
    (tmp_path / "db").mkdir()
    newest = migrate(connection, tmp_path / "db" / "old.db")
    told = connection.execute("SELECT actor, action, changes FROM audit_log").fetchall()
    assert told == [("system:migrate", "schema.migrate", f'{{"schema":[{newest - 1},{newest}]}}')]
