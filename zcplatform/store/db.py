"""SQLite, opened the one way that keeps our promises: WAL, synchronous FULL, one writer with BEGIN IMMEDIATE, query-only readers.

An acknowledged write survives a power cut (FULL). A write that depends on a read can not fail late, because the lock is taken first
(IMMEDIATE). No transaction is open while anything outside the database is called: both `read` and `write` take a plain function.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import apsw

from zcplatform.errors import PlatformError, StorageFull, Unavailable

Tx = apsw.Connection
"""A connection on which a transaction is open. Store functions take one and never begin or commit."""

T = TypeVar("T")
BUSY_MS = 5_000
CACHE_KIB = 256
"""Pages kept by each of the four connections of the two processes; the kernel keeps the whole file for all of them."""


def connect(path: Path, *, query_only: bool) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_MS)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA journal_size_limit = 33554432")
    connection.pragma("cache_size", -CACHE_KIB)
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def open_read_only(path: Path) -> Iterator[Tx]:
    """A snapshot of a database file that nothing is written next to; a copy without its -wal may lie where nothing can be. Raises apsw.Error."""
    has_log = path.with_name(path.name + "-wal").exists()
    quoted = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    uri = f"file:{quoted}?{'mode=ro' if has_log else 'immutable=1'}"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")
        yield connection
    finally:
        connection.close()


class Database:
    """One file: reads on the caller's thread (microseconds), writes on a thread of their own, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = connect(path, query_only=False)
        self._reader = connect(path, query_only=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-writer")

    def read(self, function: Callable[[Tx], T]) -> T:
        """Run `function` on one snapshot."""
        with _as_platform_errors():
            self._reader.execute("BEGIN")
            try:
                return function(self._reader)
            finally:
                self._reader.execute("COMMIT")

    async def write(self, function: Callable[[Tx], T]) -> T:
        """Run `function` in one IMMEDIATE transaction; it is committed when this returns and rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.write_now, function)

    def write_now(self, function: Callable[[Tx], T]) -> T:
        """As `write`, for programs without an event loop."""
        with _as_platform_errors():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = function(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return result

    def truncate_log(self) -> None:
        """Everything into the file, and the write-ahead log empty: pages of before a change are in neither."""
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        with _as_platform_errors():
            return int(self._reader.pragma("data_version"))

    def close(self) -> None:
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()


class ReadCache:
    """What was read, as long as nobody commits: at rest nothing is read twice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = -1
        self._found: dict[Any, Any] = {}

    def get(self, key: Any, read: Callable[[Tx], T]) -> T:
        """`read` on one snapshot, or what it gave for this key before. What it raises is not kept."""
        version = self._database.data_version()  # first: what is committed between this and the reading is read again
        if version != self._version:
            self._found.clear()
            self._version = version
        if key not in self._found:
            self._found[key] = self._database.read(read)
        return self._found[key]  # type: ignore[no-any-return]


@contextmanager
def _as_platform_errors() -> Iterator[None]:
    try:
        yield
    except PlatformError:
        raise
    except apsw.FullError:
        raise StorageFull("database.full", "The disk that holds the database is full; nothing was changed", "free some space") from None
    except apsw.BusyError:
        raise Unavailable(
            "database.busy", "The database was locked for too long; nothing was changed", "try again", retry_after_s=2
        ) from None
    except (apsw.ReadOnlyError, apsw.IOError, apsw.CantOpenError) as error:
        raise Unavailable("database.unwritable", f"The database can not be used: {error}", "check its disk and its rights") from None


def one(tx: Tx, row: type[T], sql: str, *values: Any) -> T | None:
    """The first row as a `row` (a dataclass whose field names are the column names), or None."""
    return next(iter(many(tx, row, sql, *values)), None)


def many(tx: Tx, row: type[T], sql: str, *values: Any) -> list[T]:
    """All rows; the statement selects `names(row)`, so position is enough."""
    return [row(*found) for found in tx.execute(sql, values)]


def require(found: T | None) -> T:
    """A row that the transaction itself has shown to be there."""
    if found is None:
        raise LookupError("a row that was there in this transaction is gone")
    return found


def columns(row: type[Any]) -> list[str]:
    return [field.name for field in fields(row)]


@cache
def names(row: type[Any], prefix: str = "") -> str:
    """The columns of a row type for a SELECT, in the order of its fields."""
    return ", ".join(prefix + column for column in columns(row))


def scalar(tx: Tx, sql: str, *values: Any) -> Any:
    found = tx.execute(sql, values).fetchone()
    return found[0] if found else None
