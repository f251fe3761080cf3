"""The files of a database, checked before SQLite opens them.

The web process may make files in the database's folder. SQLite would wait for ever on a pipe named `-journal`, roll a hot journal back into the
database, or fail with an error that names no file. So the worker keeps an empty `-journal` of its own there, which no one else can replace.
"""

import os
import stat
from pathlib import Path

from zcplatform.errors import CannotRun

SUFFIXES = ("", "-wal", "-shm", "-journal")
_SHM_BYTES = 32 * 1024
"""SQLite makes its index of the write-ahead log in parts of this size."""
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}


def check(path: Path, *, is_in_use: bool = False) -> None:
    """Raise CannotRun for a file that is not a regular file, or that would change the database. `is_in_use`: another process may have it open."""
    for suffix in SUFFIXES:
        file = path.with_name(path.name + suffix)
        try:
            found = file.lstat()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CannotRun("database.unusable", f"{file} cannot be read: {error.strerror}", "Check its disk and permissions") from None
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "no regular file")
            raise CannotRun("database.file", f"{file} is {kind}, not a file", f"Stop the platform and remove {file}, then start it again")
        if suffix == "-journal" and found.st_size:
            raise CannotRun(
                "database.journal",
                f"{file} holds data: a rollback journal, which this program never writes",
                f"Stop the platform and move {file} away, then start it again",
            )
        if suffix == "-shm" and is_in_use and found.st_size % _SHM_BYTES:
            raise CannotRun(
                "database.shm", f"{file} was truncated while the database was open", "Restart the platform, which recreates the file"
            )


def reserve_journal(path: Path, gid: int) -> None:
    """Create an empty `-journal` owned by root, readable for `gid` because SQLite reads its first byte. The database must exist."""
    file = path.with_name(path.name + "-journal")
    try:
        if file.lstat().st_uid == os.geteuid():
            return
        file.unlink()
    except FileNotFoundError:
        pass
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
    os.fchown(descriptor, -1, gid)
    os.fchmod(descriptor, 0o640)
    os.close(descriptor)
