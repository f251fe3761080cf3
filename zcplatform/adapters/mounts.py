"""Mount and unmount small tmpfs file systems, and look them up in the kernel's own table."""

import ctypes
import errno
import os
import re
from pathlib import Path

_NOSUID, _NODEV, _NOEXEC = 2, 4, 8
_DETACH, _NOFOLLOW = 2, 8

_libc = ctypes.CDLL(None, use_errno=True)


def mount_tmpfs(target: Path, options: str) -> None:
    """Mount a tmpfs. Raises the kernel's OSError; EINVAL if it does not know an option."""
    flags = ctypes.c_ulong(_NOSUID | _NODEV | _NOEXEC)
    if _libc.mount(b"zcplatform", os.fsencode(target), b"tmpfs", flags, options.encode()) != 0:
        raise _error(target)


def unmount(target: Path) -> None:
    """Unmount everything at a path. A mount in use stays with its users and leaves the tree. No mount counts as success."""
    while True:
        if _libc.umount2(os.fsencode(target), _NOFOLLOW) == 0:
            continue
        if ctypes.get_errno() == errno.EBUSY and _libc.umount2(os.fsencode(target), _NOFOLLOW | _DETACH) == 0:
            continue
        # EINVAL: not a mount point.
        if ctypes.get_errno() in (errno.EINVAL, errno.ENOENT):
            return
        raise _error(target)


def tmpfs_mounts(directory: Path) -> dict[str, str]:
    """Return the names directly below the directory on which a tmpfs is mounted, with its options; if there are several, those of the topmost."""
    try:
        if next(directory.iterdir(), None) is None:
            return {}  # nothing can be mounted there, and the kernel's table is long on a host with many containers
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found = {}
    needle = directory.name if directory.name.isalnum() else "/"  # the kernel escapes blanks and similar characters
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        if needle not in line:
            continue
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), left.split(" ")[4]))
        if point.parent == directory:
            kind, _, options = right.split(" ", 2)
            found[point.name] = options if kind == "tmpfs" else ""
    return {name: options for name, options in found.items() if options}


def _error(target: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(target))
