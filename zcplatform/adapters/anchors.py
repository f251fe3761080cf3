"""The second place: a file that is only appended to, on the disk before it counts, or the host's system log."""

import os
import socket
import stat
import time
from pathlib import Path

from zcplatform.errors import Unavailable

TAG = "zcplatform-audit"
PRIORITY = 10 * 8 + 5
"""authpriv.notice"""
WAIT_S = 5.0


def append(path: Path, line: str) -> None:
    """One line, whole and on the disk when this returns. Raises Unavailable; a link or a file of somebody else's is not written to."""
    data = line.encode() + b"\n"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
                raise Unavailable("anchors.foreign", f"{path} is not a regular file owned by root", "Move it away, or set `audit_anchor`")
            if facts.st_size and os.pread(descriptor, 1, facts.st_size - 1) != b"\n":
                data = b"\n" + data  # the line before was cut off by a power cut
            if os.write(descriptor, data) != len(data):
                raise Unavailable("anchors.full", f"Only a part of an anchor could be written to {path}", "Free some space on its disk")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unavailable(
            "anchors.unwritable", f"{path} cannot be written: {error.strerror}", "Check `audit_anchor` and its disk"
        ) from None


def log(line: str, path: Path, wait_s: float = WAIT_S) -> None:
    """To the system log, whose keeper sends it on to another machine. Raises Unavailable when nobody keeps one.

    Not by the C library: it says nothing when nobody listens. What a keeper does with a line he took, he does not tell.
    """
    stamp = time.strftime("%b %e %H:%M:%S")
    with _reached(path) as keeper:
        keeper.settimeout(wait_s)
        try:
            keeper.send(f"<{PRIORITY}>{stamp} {TAG}: {line}".encode())
        except OSError as error:
            raise _deaf(path, error) from None


def file_trouble(path: Path) -> str:
    """Why an anchor would not be taken now; the empty text when it would. Writes nothing."""
    kept = path if path.exists() else path.parent
    return "" if os.access(kept, os.W_OK) and not path.is_symlink() else f"{path} can not be written."


def log_trouble(path: Path) -> str:
    """The same of a system log."""
    try:
        _reached(path).close()
    except Unavailable as error:
        return f"{error.detail}."
    return ""


def _reached(path: Path) -> socket.socket:
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        keeper.connect(str(path))
    except OSError as error:
        keeper.close()
        raise _deaf(path, error) from None
    return keeper


def _deaf(path: Path, error: OSError) -> Unavailable:
    why = error.strerror or "it takes nothing"
    return Unavailable("anchors.no_log", f"No system log listens at {path}: {why}", "Start one, or set `audit_anchor` to a file")
