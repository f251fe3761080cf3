"""Write anchors of the audit log to a file, which is only appended to and synced, or to the host's system log."""

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
    """Append one line. It is complete and on the disk when this returns. Raises Unavailable, also for a link or another user's file."""
    data = line.encode() + b"\n"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
                raise Unavailable("anchors.foreign", f"{path} is not a regular file owned by root", "Move it away, or set `audit_anchor`")
            if facts.st_size and os.pread(descriptor, 1, facts.st_size - 1) != b"\n":
                data = b"\n" + data  # the previous line was cut off, for example by a power failure
            if os.write(descriptor, data) != len(data):
                raise Unavailable("anchors.full", f"Only part of an anchor could be written to {path}", "Free some space on its disk")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unavailable(
            "anchors.unwritable", f"{path} cannot be written: {error.strerror}", "Check `audit_anchor` and its disk"
        ) from None


def log(line: str, path: Path, wait_s: float = WAIT_S) -> None:
    """Write to the system log, whose daemon may forward it to another machine. Raises Unavailable if none is running.

    The C library's function is not used: it reports no error if nobody listens. What the daemon does with a line is not known here.
    """
    stamp = time.strftime("%b %e %H:%M:%S")
    with _reached(path) as keeper:
        keeper.settimeout(wait_s)
        try:
            keeper.send(f"<{PRIORITY}>{stamp} {TAG}: {line}".encode())
        except OSError as error:
            raise _deaf(path, error) from None


def file_trouble(path: Path) -> str:
    """Return why an anchor could not be written now, or empty text if it could. Writes nothing."""
    kept = path if path.exists() else path.parent
    return "" if os.access(kept, os.W_OK) and not path.is_symlink() else f"{path} cannot be written."


def log_trouble(path: Path) -> str:
    """Return the same for the system log."""
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
    why = error.strerror or "it accepts no messages"
    return Unavailable("anchors.no_log", f"No system log listens at {path}: {why}", "Start one, or set `audit_anchor` to a file")
