"""Audit entries, written in the transaction of what they tell of."""

import json
from dataclasses import dataclass

from zcplatform.core.audit import GENESIS, Entry, canonical, entry_hash
from zcplatform.store.db import Tx, scalar


def append(tx: Tx, entry: Entry) -> None:
    previous = scalar(tx, "SELECT hash FROM audit_log ORDER BY sequence DESC LIMIT 1") or GENESIS
    tx.execute(
        "INSERT INTO audit_log (at, actor, role, address, action, object, tenant_id, outcome, changes, request_id, previous_hash, hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.at,
            entry.actor,
            entry.role,
            entry.address,
            entry.action,
            entry.object,
            entry.tenant_id,
            entry.outcome,
            canonical(entry.changes),
            entry.request_id,
            previous,
            entry_hash(previous, entry),
        ),
    )


@dataclass(frozen=True)
class Break:
    """The first entry that does not fit the chain."""

    sequence: int


def verify(tx: Tx) -> Break | int:
    """The number of entries of a whole chain, or the place where it is broken."""
    previous, count = GENESIS, 0
    rows = tx.execute(
        "SELECT sequence, previous_hash, hash, at, actor, action, object, tenant_id, role, address, outcome, changes, request_id"
        " FROM audit_log ORDER BY sequence"
    )
    for row in rows:
        sequence, told_previous, told_hash, at, actor, action, subject, tenant_id, role, address, outcome, changes, request_id = row
        entry = Entry(at, actor, action, subject, tenant_id, role, address, outcome, json.loads(changes), request_id)
        if told_previous != previous or told_hash != entry_hash(previous, entry):
            return Break(sequence)
        previous, count = told_hash, count + 1
    return count
