"""One process owns a data directory: the lock that keeps two agents of one tenant apart, with the real agent's checks of owner and mode."""

import fcntl
import os
import stat
from pathlib import Path

from zcplatform.demo_agent.overrides import CannotStart


def acquire(home: Path) -> int:
    """Create the directories and take the lock. The open descriptor holds it until the process ends."""
    data = home / "data"
    _directory(data, "data directory")
    lifecycle = data / ".lifecycle"
    _directory(lifecycle, "config lifecycle directory")
    status = lifecycle.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise CannotStart(f"{lifecycle} is not a directory")
    if status.st_uid != os.geteuid():
        raise CannotStart(f"{lifecycle} belongs to uid {status.st_uid}, but the agent is running as uid {os.geteuid()}")
    if status.st_mode & 0o022:
        raise CannotStart(f"{lifecycle} is writable by its group or by other users (mode {stat.S_IMODE(status.st_mode):o})")
    return _lock(lifecycle / "config-lifecycle.lock", data)


def _directory(path: Path, what: str) -> None:
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise CannotStart(f"creating {what} {path}: it exists and is something else") from None
    except OSError as error:
        raise CannotStart(f"creating {what} {path}: {error.strerror}") from None


def _lock(path: Path, data: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"opening config lifecycle lock {path}: {error.strerror}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise CannotStart(f"config lifecycle lock {path} is not a file of the current user")
    if status.st_mode & 0o077:
        raise CannotStart(f"config lifecycle lock {path} is accessible to other users (mode {stat.S_IMODE(status.st_mode):o})")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise CannotStart(f"Cannot run `zeroclaw daemon` while another ZeroClaw process owns the config state at {data}") from None
    return descriptor


def shared(home: Path) -> None:
    _directory(home / "shared", "shared workspace directory")
