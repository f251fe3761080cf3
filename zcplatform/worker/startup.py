"""What `zcplatform serve` does before the first loop: folders, locks, the checks of the host, and the database.

Each check precedes what relies on it. All errors are CannotRun and name the file, key or user; nothing is left half done.
"""

import fcntl
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from zcplatform import clock
from zcplatform.adapters import host, rundirs
from zcplatform.core import subnet_pool
from zcplatform.core.audit import Entry
from zcplatform.core.doctor.programs import MIN_SQLITE
from zcplatform.errors import CannotRun, PlatformError
from zcplatform.ids import Names
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import audit, database_files, signing_keys
from zcplatform.store.db import Database, Deadline, Tx, connect
from zcplatform.store.migrate import migrate
from zcplatform.worker import root_key, secret_bindings
from zcplatform.worker.root_key import RootKey
from zcplatform.worker.secrets import Secrets

MIGRATE_S = 600.0


def make_data_dirs(settings: Settings, web: pwd.struct_passwd) -> None:
    """Create the folders with the owners and modes of docs/explanation/architecture.md. Without the sticky bit, the web process could rename the live -wal."""
    try:
        rundirs.make_parents(settings.data_dir)
        for path, mode, gid in (
            (settings.data_dir, 0o711, 0),
            (settings.tenants_dir, 0o711, 0),
            (settings.database.parent, 0o3770, web.pw_gid),
        ):
            path.mkdir(exist_ok=True)
            os.chown(path, 0, gid)
            path.chmod(mode)
    except OSError as error:
        raise CannotRun(
            "data.unwritable", f"{settings.data_dir} cannot be written: {error.strerror}", "Check `data_dir` and its disk"
        ) from None


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """Ensure that one process runs per data directory, and one per instance name on this host. The kernel releases both locks when the process ends."""
    with _held(settings.data_dir / "serve.lock"), _held(Path("/run") / f"zcplatform-{settings.instance}.lock"):
        yield


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """Lock the database for a rotation of the root key: no worker has it open, and none can start."""
    if not settings.database.exists():
        raise CannotRun("database.missing", f"There is no database at {settings.database}", "Start the platform once: zcplatform serve")
    with _held(settings.data_dir / "serve.lock"):
        yield


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(
                "serve.running", f"Another zcplatform process holds {path}", "Stop it first, or give this one its own data_dir and instance"
            ) from None
        yield


def check_sqlite() -> None:
    """Raise CannotRun for a version of SQLite that can damage a database, or that was not tested with the platform."""
    found = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if found < MIN_SQLITE:
        least = ".".join(str(part) for part in MIN_SQLITE)
        raise CannotRun(
            "sqlite.version", f"SQLite {apsw.sqlite_lib_version()} is older than {least}", "Install the locked packages: scripts/venv"
        )


def check_host(settings: Settings) -> None:
    culprit = host.overlapping_uids(settings.uid_span)
    if culprit is not None:
        raise CannotRun("settings.uids", f"The range `uids` {settings.uids} overlaps {culprit}", "Set `uids` to a free range")
    unmapped = host.unmapped_uid(settings.uid_span)
    if unmapped:
        raise CannotRun(
            "settings.uids", f"The range `uids` {settings.uids} does not exist on this host: {unmapped}", "Set `uids` to a range within it"
        )
    _check_subnets(settings)
    blocker = host.interpreter_blocker(settings.web_user)
    if blocker is not None:
        raise CannotRun(
            "serve.interpreter",
            f"The user {settings.web_user} cannot run this program: {blocker} is closed to it",
            "Install zcplatform where every user may read, for example below /opt",
        )


def _check_subnets(settings: Settings) -> None:
    """Check that the pool does not overlap a network of this host, which would be cut off.

    A new installation does not start then. One with tenants starts, and assigns no subnet that overlaps.
    """
    pool = settings.subnet_network
    foreign = subnet_pool.overlaps(pool, host.routes(), Names(settings.instance).bridge_prefix)
    found = ", ".join(str(each) for each in subnet_pool.inside(pool, foreign))
    if not found:
        return
    detail, hint = f"The pool `subnets` {settings.subnets} overlaps {found}", "Set `subnets` to a range that is free on this host"
    if not settings.database.exists():
        raise CannotRun("settings.subnets", detail, hint)
    logger.error("networks of tenants overlap networks of this host", error=detail, hint=hint)


def make_database(settings: Settings, web: pwd.struct_passwd) -> int:
    """Create or migrate the database file. Returns the version of its schema."""
    if not settings.database.exists():
        os.close(os.open(settings.database, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        deadline = Deadline()
        connection = connect(settings.database, query_only=False, deadline=deadline)
        with deadline.within(MIGRATE_S):
            version = migrate(connection, settings.database)
        connection.close()
        database_files.reserve_journal(settings.database, web.pw_gid)
    except (apsw.Error, OSError) as error:
        raise CannotRun("database.unusable", f"{settings.database} cannot be used: {error}", "Restore it from a backup") from None
    os.chown(settings.database, 0, web.pw_gid)
    settings.database.chmod(0o660)
    return version


def open_database(settings: Settings, key: RootKey, web: pwd.struct_passwd) -> Database:
    """Migrate the database, open it, and record that the worker started."""
    version = make_database(settings, web)
    database = Database(settings.database)
    write_first(database, key, version)
    return database


def write_first(database: Database, key: RootKey, version: int) -> None:
    """Record the start, and migrate the bindings of older secrets before any agent gets one."""
    database.write_now(lambda tx: _first_write(tx, key, version))
    try:
        database.write_now(lambda tx: secret_bindings.rebind(tx, Secrets(key.keys)), MIGRATE_S)
    except PlatformError as error:
        logger.error("secrets of an older version could not be migrated; the next start retries it", code=error.code, error=error.detail)


def _first_write(tx: Tx, key: RootKey, version: int) -> None:
    at = clock.text(clock.now())
    root_key.put_key_record(tx, key.keys, key.stretch)
    signing_keys.first(tx, at)
    audit.append(tx, Entry(at, "system:worker", "worker.start", f"schema {version}"))
