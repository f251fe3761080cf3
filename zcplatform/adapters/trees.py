"""Open directories with hostile content: one component at a time, by descriptor, never through a link."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextmanager
def directory(path: Path | str, at: int | None = None) -> Iterator[int]:
    """Open a real directory; OSError for anything else. `at` is the descriptor of its parent directory."""
    opened = os.open(path, _DIRECTORY, dir_fd=at)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def below(top: Path, parts: Sequence[str]) -> Iterator[int]:
    """Open top/part/part…"""
    steps = [_component(part) for part in parts]
    opened = os.open(top, _DIRECTORY)
    try:
        for step in steps:
            inner = os.open(step, _DIRECTORY, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield opened
    finally:
        os.close(opened)


def make_directory(name: str, at: int, mode: int, uid: int) -> None:
    """Create a directory, or repair owner and mode of an existing one. OSError for a link or a file."""
    with suppress(FileExistsError):
        os.mkdir(_component(name), 0o700, dir_fd=at)
    with directory(name, at) as made:
        own(made, mode, uid)


@contextmanager
def found_or_made(name: str, at: int, mode: int, uid: int) -> Iterator[int]:
    """Open a directory and create it if it is missing. Anything else in its place is set aside.

    A new directory gets owner and mode, and so does an existing one that its owner cannot use.
    """
    try:
        os.mkdir(_component(name), 0o700, dir_fd=at)
        is_new = True
    except FileExistsError:
        is_new = not stat.S_ISDIR(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)
        if is_new:
            set_aside(name, at)
            os.mkdir(name, 0o700, dir_fd=at)
    with directory(name, at) as opened:
        if is_new or os.fstat(opened).st_mode & 0o700 != 0o700:
            own(opened, mode, uid)
        yield opened


def set_aside(name: str, at: int) -> None:
    """Set aside what is in the place of a directory: it is renamed, not deleted."""
    os.rename(_component(name), f"{name[:200]}.replaced-{secrets.token_hex(4)}", src_dir_fd=at, dst_dir_fd=at)


def own(opened: int, mode: int, uid: int) -> None:
    status = os.fstat(opened)
    if (status.st_uid, status.st_gid) != (uid, uid):
        os.fchown(opened, uid, uid)
    if status.st_mode & 0o7777 != mode:
        os.fchmod(opened, mode)


def write_new(name: str, at: int, content: bytes, mode: int, uid: int) -> None:
    opened = os.open(_component(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=at)
    with os.fdopen(opened, "wb") as file:
        os.fchmod(opened, mode)
        os.fchown(opened, uid, uid)
        file.write(content)


def read_regular(name: str, at: int, limit_bytes: int) -> bytes | None:
    """Return the content of a regular file of at most `limit_bytes`; None for everything else. It never waits for a FIFO."""

    try:
        opened = os.open(_component(name), _FILE, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EACCES):
            return None
        raise
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        return None
    with os.fdopen(opened, "rb") as file:
        content = file.read(limit_bytes + 1)
        return content if len(content) <= limit_bytes else None


def _component(name: str) -> str:
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is not the name of one file")
    return name
