"""SQLite, opened the one way that keeps our promises: WAL, synchronous FULL, one writer with BEGIN IMMEDIATE, query-only readers.

An acknowledged write survives a power cut (FULL). A write that depends on a read cannot fail late, because the lock is taken first
(IMMEDIATE). No transaction is open while anything outside the database is called: both `read` and `write` take a plain function.

The file is not trusted, because the web process can write it. Every statement has a deadline and every value a maximum length. Views are off. If
the schema changes, it is compared with the known one before anything else is read or written.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import apsw

from zcplatform.errors import CannotRun, PlatformError, StorageFull, Unavailable
from zcplatform.log import logger
from zcplatform.store import database_files, schema

Tx = apsw.Connection
"""A connection on which a transaction is open. Store functions take one and never begin or commit."""

T = TypeVar("T")
BUSY_MS = 5_000
CACHE_KIB = 256
"""Pages kept by each of the four connections of the two processes; the kernel keeps the whole file for all of them."""
LONGEST_VALUE = 4 * 1024 * 1024
"""Maximum length of a text, blob or row. Reading a longer one is an error instead of a large allocation."""
READ_S, WRITE_S = 5.0, 30.0
_CHECK_EVERY = 20_000
"""Steps of SQLite's virtual machine between two checks of the deadline: some hundred microseconds."""


def connect(path: Path, *, query_only: bool, deadline: "Deadline | None" = None) -> apsw.Connection:
    """Open a connection. Raises CannotRun if a file of the database cannot be used."""
    database_files.check(path)
    connection = apsw.Connection(str(path))
    _distrust(connection, deadline)
    connection.set_busy_timeout(BUSY_MS)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA journal_size_limit = 33554432")
    connection.pragma("cache_size", -CACHE_KIB)
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def open_read_only(path: Path, limit_s: float = float("inf")) -> Iterator[Tx]:
    """Open a snapshot of a database file without creating files beside it, so a copy may be in a read-only folder. Raises apsw.Error."""
    database_files.check(path, is_in_use=True)
    has_log = path.with_name(path.name + "-wal").exists()
    quoted = str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    uri = f"file:{quoted}?{'mode=ro' if has_log else 'immutable=1'}"
    connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    try:
        deadline = Deadline()
        _distrust(connection, deadline)
        with deadline.within(limit_s):
            connection.execute("BEGIN")
            yield connection
    finally:
        connection.close()


class Deadline:
    """Interrupts statements that run longer than a limit. Signals are handled at each check of the clock."""

    def __init__(self) -> None:
        self._at = float("inf")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        self._at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._at = float("inf")

    def has_passed(self) -> bool:
        return time.monotonic() > self._at


def _distrust(connection: apsw.Connection, deadline: Deadline | None) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
    connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
    connection.set_progress_handler((deadline or Deadline()).has_passed, _CHECK_EVERY)


class Database:
    """One file: reads on the caller's thread (microseconds), writes on a thread of their own, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write_deadline, self._read_deadline = Deadline(), Deadline()
        self._writer = connect(path, query_only=False, deadline=self._write_deadline)
        self._reader = connect(path, query_only=True, deadline=self._read_deadline)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-writer")
        self._known_schema: int | None = None

    def read(self, function: Callable[[Tx], T], limit_s: float = READ_S) -> T:
        """Run `function` on one snapshot."""
        with _as_platform_errors(), self._read_deadline.within(limit_s):
            self._reader.execute("BEGIN")
            try:
                self._require_known_schema(self._reader)
                return function(self._reader)
            finally:
                self._reader.execute("COMMIT")

    async def write(self, function: Callable[[Tx], T]) -> T:
        """Run `function` in one IMMEDIATE transaction; it is committed when this returns and rolled back when it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.write_now, function)

    def write_now(self, function: Callable[[Tx], T], limit_s: float = WRITE_S) -> T:
        """As `write`, for programs without an event loop."""
        with _as_platform_errors(), self._write_deadline.within(limit_s):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._require_known_schema(self._writer)
                result = function(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return result

    def _require_known_schema(self, tx: Tx) -> None:
        """Raises Unavailable, in each transaction, while the schema is not the one that the migrations create."""
        number = int(tx.pragma("schema_version"))
        if number == self._known_schema:
            return
        try:
            schema.require_known(tx)
        except CannotRun as error:
            logger.error("the schema of the database was changed: nothing is read or written", error=error.detail, hint=error.hint)
            raise Unavailable(error.code, error.detail, error.hint, retry_after_s=60) from None
        self._known_schema = number

    def truncate_log(self) -> None:
        """Checkpoint and truncate the write-ahead log, so that no old version of a page is left in it."""
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def data_version(self) -> int:
        """Return a number that changes when another connection has committed."""
        with _as_platform_errors():
            return int(self._reader.pragma("data_version"))

    def close(self) -> None:
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()


class ReadCache:
    """Results of reads, kept until any connection commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = -1
        self._found: dict[Any, Any] = {}

    def get(self, key: Any, read: Callable[[Tx], T]) -> T:
        """Return the result of `read` on one snapshot, or the cached one of this key. Errors are not cached."""
        version = (
            self._database.data_version()
        )  # read the version first: a commit between the two lines then causes another read, not a stale result
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
    except apsw.InterruptError:
        raise Unavailable("database.slow", "A query took too long and was ended; nothing was changed", "See the worker's log") from None
    except apsw.TooBigError:
        raise Unavailable(
            "database.oversized", "A row of the database is longer than any that the platform writes", "Restore a backup"
        ) from None
    except (apsw.ReadOnlyError, apsw.IOError, apsw.CantOpenError) as error:
        raise Unavailable("database.unwritable", f"The database cannot be used: {error}", "Check its disk and permissions") from None


def one(tx: Tx, row: type[T], sql: str, *values: Any) -> T | None:
    """The first row as a `row` (a dataclass whose field names are the column names), or None."""
    return next(iter(many(tx, row, sql, *values)), None)


def many(tx: Tx, row: type[T], sql: str, *values: Any) -> list[T]:
    """Return all rows. The statement selects `names(row)`, so columns are matched by position."""
    return [row(*found) for found in tx.execute(sql, values)]


def require(found: T | None) -> T:
    """Return a row that this transaction knows to exist. Raises LookupError if it does not."""
    if found is None:
        raise LookupError("a row that this transaction had read is gone")
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
