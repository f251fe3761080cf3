"""Audit entries, written in the transaction of what they tell of, followed as a chain, asked for, and pruned behind a signed checkpoint."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

import apsw

from zcplatform import bounded_json
from zcplatform.core.audit import GENESIS, Entry, canonical, entry_hash
from zcplatform.errors import Unavailable
from zcplatform.store.db import Tx, many, names, one, scalar


@dataclass(frozen=True)
class _Row:
    """As it lies there; nothing is believed of it."""

    sequence: Any
    at: Any
    actor: Any
    action: Any
    object: Any
    tenant_id: Any
    role: Any
    address: Any
    outcome: Any
    changes: Any
    request_id: Any
    previous_hash: Any
    hash: Any


@dataclass(frozen=True)
class Stored:
    sequence: int
    entry: Entry
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True)
class Checkpoint:
    """What is older than this entry, and the entry itself, was removed on purpose; `signature` is the worker's key's over it."""

    sequence: int
    hash: bytes
    at: str
    signer: bytes
    signature: bytes


@dataclass(frozen=True)
class Chain:
    """A chain without a break. `checkpoint` is where it begins when older entries were pruned: its signature is still to be checked."""

    entries: int
    sequence: int
    hash: bytes
    checkpoint: Checkpoint | None


@dataclass(frozen=True)
class Break:
    """The first entry that does not fit the chain."""

    sequence: int
    why: str = field(default="", compare=False)


@dataclass(frozen=True)
class Filter:
    """Which entries. Empty texts ask for all; actor and action may be beginnings (`usr_…`, `tenant.`); times are RFC 3339."""

    tenant_id: str = ""
    actor: str = ""
    action: str = ""
    object: str = ""
    since: str = ""
    until: str = ""


_FILTERS = (
    " (?2 = '' OR substr(actor, 1, length(?2)) = ?2) AND (?3 = '' OR substr(action, 1, length(?3)) = ?3)"
    " AND (?4 = '' OR object = ?4) AND (?5 = '' OR at >= ?5) AND (?6 = '' OR at < ?6)"
)


def append(tx: Tx, entry: Entry) -> None:
    """Raises Unavailable when the log does not take it: the transaction it stands in is rolled back."""
    try:
        _append(tx, entry)
    except (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError):
        raise  # no matter of the log's: the database tells what it is
    except apsw.Error as error:
        raise Unavailable(
            "audit.unwritable", f"The audit log cannot be written ({error}); nothing was changed", "zcplatform doctor, on the host"
        ) from None


def _append(tx: Tx, entry: Entry) -> None:
    _, previous = head(tx)
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


def head(tx: Tx) -> tuple[int, bytes]:
    """Sequence and hash of the newest entry; (0, GENESIS) of an empty log."""
    row = tx.execute("SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1").fetchone()
    return (int(row[0]), bytes(row[1])) if row else (0, GENESIS)


def verify(tx: Tx) -> Break | int:
    """The number of entries of a whole chain, or the place where it is broken."""
    found = follow(tx, {})
    return found if isinstance(found, Break) else found.entries


def follow(tx: Tx, anchored: Mapping[int, bytes]) -> Chain | Break:
    """Follow the chain from its first entry, or from the checkpoint it begins at. `anchored` are hashes that some entries must have."""
    start = checkpoint(tx) if scalar(tx, "SELECT 1 FROM sqlite_schema WHERE name = 'audit_checkpoints'") else None
    last, previous = (start.sequence, start.hash) if start else (0, GENESIS)
    entries = 0
    for row in tx.execute(f"SELECT {names(_Row)} FROM audit_log ORDER BY sequence"):
        try:
            stored = _stored(_Row(*row))
        except ValueError:
            return Break(int(row[0]), "it cannot be read")
        if start is not None and stored.sequence <= start.sequence:
            return Break(stored.sequence, "it stands before the checkpoint that removed it")
        if stored.previous_hash != previous or stored.hash != entry_hash(previous, stored.entry):
            return Break(stored.sequence, "it or one before it was changed, removed or moved")
        if anchored.get(stored.sequence, stored.hash) != stored.hash:
            return Break(stored.sequence, "it is not the one that was anchored: the log was written again")
        last, previous, entries = stored.sequence, stored.hash, entries + 1
    given = scalar(tx, "SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'") or 0
    known = max(anchored, default=0)
    if known > last:
        return Break(
            last + 1, f"the tail is cut, or this is a copy without its -wal: the anchors know {known - last} entries beyond {last}"
        )
    if given > last:
        return Break(last + 1, f"the tail is cut: entry {given} was written and is missing")
    return Chain(entries, last, previous, start)


def page(tx: Tx, wanted: Filter, before: int | None, limit: int) -> list[Stored]:
    """Newest first; `before` is the sequence of the last one that was seen."""
    found = many(
        tx, _Row, _statement(wanted) + " AND sequence < ?7 ORDER BY sequence DESC LIMIT ?8", *_values(wanted), before or 2**62, limit
    )
    return [_stored(row) for row in found]


def after(tx: Tx, wanted: Filter, sequence: int, limit: int) -> list[Stored]:
    """Oldest first, those after `sequence`: for an export that goes on page by page."""
    found = many(tx, _Row, _statement(wanted) + " AND sequence > ?7 ORDER BY sequence LIMIT ?8", *_values(wanted), sequence, limit)
    return [_stored(row) for row in found]


def checkpoint(tx: Tx) -> Checkpoint | None:
    """The newest one: where the chain begins."""
    return one(tx, Checkpoint, f"SELECT {names(Checkpoint)} FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1")


def last_before(tx: Tx, at: str) -> tuple[int, bytes] | None:
    """Sequence and hash of the last entry of those that are all older than `at`; never the newest one of the log."""
    row = tx.execute(
        "SELECT sequence, hash FROM audit_log WHERE sequence < coalesce((SELECT min(sequence) FROM audit_log WHERE at >= ?),"
        " (SELECT max(sequence) FROM audit_log)) ORDER BY sequence DESC LIMIT 1",
        (at,),
    ).fetchone()
    return (int(row[0]), bytes(row[1])) if row else None


def prune(tx: Tx, kept: Checkpoint) -> int:
    """Remove what the checkpoint covers; the trigger lets nothing else go. The number of entries that went."""
    tx.execute(
        f"INSERT INTO audit_checkpoints ({names(Checkpoint)}) VALUES (?, ?, ?, ?, ?)",
        (kept.sequence, kept.hash, kept.at, kept.signer, kept.signature),
    )
    tx.execute("DELETE FROM audit_log WHERE sequence <= ?", (kept.sequence,))
    return int(tx.changes())


def _statement(wanted: Filter) -> str:
    """With the tenant's index where one tenant is asked for."""
    where = " WHERE tenant_id = ?1 AND" if wanted.tenant_id else " WHERE ?1 = '' AND"
    return f"SELECT {names(_Row)} FROM audit_log" + where + _FILTERS


def _values(wanted: Filter) -> Iterator[str]:
    yield from (wanted.tenant_id, wanted.actor, wanted.action, wanted.object, wanted.since, wanted.until)


def _stored(row: _Row) -> Stored:
    """Raises ValueError for fields that no entry of ours has."""
    texts = (row.at, row.actor, row.action, row.object, row.tenant_id, row.role, row.address, row.outcome, row.changes, row.request_id)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(one, bytes) for one in (row.previous_hash, row.hash)):
        raise ValueError("a field has another type")
    told = _Row(**{**row.__dict__, "changes": bounded_json.loads(row.changes)})
    return Stored(row.sequence, Entry(*astuple(told)[1:11]), row.previous_hash, row.hash)
