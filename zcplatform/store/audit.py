"""The audit log: append entries in the transaction of the change they record, verify the chain, query, and prune behind a signed checkpoint."""

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
    """A row as it is stored, unvalidated: the web process can write the database."""

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
    """Up to and including this entry, the log was removed on purpose. `signature` is made with the worker's key."""

    sequence: int
    hash: bytes
    at: str
    signer: bytes
    signature: bytes


@dataclass(frozen=True)
class Chain:
    """An unbroken chain. `checkpoint` is where it begins if older entries were pruned; the caller must verify its signature."""

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
    """Select entries. Empty values match all; `actor` and `action` are prefixes (`usr_…`, `tenant.`); times are RFC 3339."""

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
    """Append an entry. Raises Unavailable (`audit.unwritable`) if that fails; the caller's transaction is then rolled back."""
    try:
        _append(tx, entry)
    except (apsw.BusyError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError):
        raise  # not specific to the log: store.db turns these into errors
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
    """Return sequence and hash of the newest entry; (0, GENESIS) for an empty log."""
    row = tx.execute("SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1").fetchone()
    return (int(row[0]), bytes(row[1])) if row else (0, GENESIS)


def verify(tx: Tx) -> Break | int:
    """Return the number of entries if the chain is unbroken, or where it breaks."""
    found = follow(tx, {})
    return found if isinstance(found, Break) else found.entries


def follow(tx: Tx, anchored: Mapping[int, bytes]) -> Chain | Break:
    """Verify the chain from its first entry, or from its checkpoint. `anchored` maps sequences to the hashes that these entries must have."""
    start = checkpoint(tx) if scalar(tx, "SELECT 1 FROM sqlite_schema WHERE name = 'audit_checkpoints'") else None
    last, previous = (start.sequence, start.hash) if start else (0, GENESIS)
    entries = 0
    for row in tx.execute(f"SELECT {names(_Row)} FROM audit_log ORDER BY sequence"):
        try:
            stored = _stored(_Row(*row))
        except ValueError:
            return Break(int(row[0]), "it cannot be read")
        if start is not None and stored.sequence <= start.sequence:
            return Break(stored.sequence, "it is covered by the checkpoint and should have been removed")
        if stored.previous_hash != previous or stored.hash != entry_hash(previous, stored.entry):
            return Break(stored.sequence, "it or one before it was changed, removed or moved")
        if anchored.get(stored.sequence, stored.hash) != stored.hash:
            return Break(stored.sequence, "it differs from the anchored one: the log was rewritten")
        last, previous, entries = stored.sequence, stored.hash, entries + 1
    given = scalar(tx, "SELECT seq FROM sqlite_sequence WHERE name = 'audit_log'") or 0
    known = max(anchored, default=0)
    if known > last:
        return Break(
            last + 1, f"the log was truncated, or this is a copy without its -wal: the anchors know of {known - last} entries after {last}"
        )
    if given > last:
        return Break(last + 1, f"the log was truncated: entry {given} was written and is missing")
    return Chain(entries, last, previous, start)


def page(tx: Tx, wanted: Filter, before: int | None, limit: int) -> list[Stored]:
    """Return one page, newest first. `before` is the sequence of the last entry of the previous page."""
    found = many(
        tx, _Row, _statement(wanted) + " AND sequence < ?7 ORDER BY sequence DESC LIMIT ?8", *_values(wanted), before or 2**62, limit
    )
    return [_stored(row) for row in found]


def after(tx: Tx, wanted: Filter, sequence: int, limit: int) -> list[Stored]:
    """Return one page of an export, oldest first, after `sequence`."""
    found = many(tx, _Row, _statement(wanted) + " AND sequence > ?7 ORDER BY sequence LIMIT ?8", *_values(wanted), sequence, limit)
    return [_stored(row) for row in found]


def checkpoint(tx: Tx) -> Checkpoint | None:
    """Return the newest checkpoint, which is where the chain begins."""
    return one(tx, Checkpoint, f"SELECT {names(Checkpoint)} FROM audit_checkpoints ORDER BY sequence DESC LIMIT 1")


def last_before(tx: Tx, at: str) -> tuple[int, bytes] | None:
    """Return sequence and hash of the last entry to prune: it and all before it are older than `at`, and it is not the newest of the log."""
    row = tx.execute(
        "SELECT sequence, hash FROM audit_log WHERE sequence < coalesce((SELECT min(sequence) FROM audit_log WHERE at >= ?),"
        " (SELECT max(sequence) FROM audit_log)) ORDER BY sequence DESC LIMIT 1",
        (at,),
    ).fetchone()
    return (int(row[0]), bytes(row[1])) if row else None


def prune(tx: Tx, kept: Checkpoint) -> int:
    """Delete the entries that the checkpoint covers and return their number. A trigger rejects every other deletion."""
    tx.execute(
        f"INSERT INTO audit_checkpoints ({names(Checkpoint)}) VALUES (?, ?, ?, ?, ?)",
        (kept.sequence, kept.hash, kept.at, kept.signer, kept.signature),
    )
    tx.execute("DELETE FROM audit_log WHERE sequence <= ?", (kept.sequence,))
    return int(tx.changes())


def _statement(wanted: Filter) -> str:
    """The condition on tenant_id comes first, so that SQLite uses its index for one tenant."""
    where = " WHERE tenant_id = ?1 AND" if wanted.tenant_id else " WHERE ?1 = '' AND"
    return f"SELECT {names(_Row)} FROM audit_log" + where + _FILTERS


def _values(wanted: Filter) -> Iterator[str]:
    yield from (wanted.tenant_id, wanted.actor, wanted.action, wanted.object, wanted.since, wanted.until)


def _stored(row: _Row) -> Stored:
    """Validate a row. Raises ValueError for a type or a value that the platform never writes."""
    texts = (row.at, row.actor, row.action, row.object, row.tenant_id, row.role, row.address, row.outcome, row.changes, row.request_id)
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(value, bytes) for value in (row.previous_hash, row.hash)):
        raise ValueError("a field has another type")
    decoded = _Row(**{**row.__dict__, "changes": bounded_json.loads(row.changes)})
    return Stored(row.sequence, Entry(*astuple(decoded)[1:11]), row.previous_hash, row.hash)
