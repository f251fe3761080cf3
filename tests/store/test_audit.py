"""The chain of the audit log finds an edit, a removal and a swap, from the file alone."""

from collections.abc import Callable

import apsw
import pytest

from zcplatform.core.audit import GENESIS, Entry, entry_hash
from zcplatform.store import audit
from zcplatform.store.db import Database, Tx

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
    database.write_now(lambda tx: tx.execute("DROP TRIGGER audit_log_no_update; DROP TRIGGER audit_log_no_delete"))
    database.write_now(tamper)
    assert database.read(audit.verify) == audit.Break(found_at)


def test_each_field_is_covered() -> None:
    entry = Entry(AT, "a", "b", "c", "d", "e", "f", "g", {"h": 1}, "i")
    fields = ["at", "actor", "action", "object", "tenant_id", "role", "address", "outcome", "request_id"]
    changed = [Entry(**{**entry.__dict__, name: "changed"}) for name in fields] + [Entry(**{**entry.__dict__, "changes": {}})]
    assert len({entry_hash(GENESIS, one) for one in [entry, *changed]}) == 11
