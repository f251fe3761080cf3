"""The second place: a file that is only appended to, on the disk before it counts, or the host's system log."""

import os
import stat
import syslog
from pathlib import Path

from zcplatform.errors import Unavailable

TAG = "zcplatform-audit"


def append(path: Path, line: str) -> None:
    """One line, whole and on the disk when this returns. Raises Unavailable; a link or a file of somebody else's is not written to."""
    data = line.encode() + b"\n"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
                raise Unavailable("anchors.foreign", f"{path} is not a plain file of root's", "move it away, or set `audit_anchor`")
            if facts.st_size and os.pread(descriptor, 1, facts.st_size - 1) != b"\n":
                data = b"\n" + data  # the line before was cut off by a power cut
            if os.write(descriptor, data) != len(data):
                raise Unavailable("anchors.full", f"{path} took only a part of an anchor", "free some space on its disk")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unavailable(
            "anchors.unwritable", f"{path} can not be written: {error.strerror}", "check `audit_anchor` and its disk"
        ) from None


def log(line: str) -> None:
    """To the system log, whose keeper sends it on to another machine. It answers nothing, so nothing is known of its fate."""
    syslog.openlog(TAG, syslog.LOG_NDELAY, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_NOTICE, line)
    syslog.closelog()
