"""Questions to this host: ports, users, kernel, programs, space. Answers only; what they mean is decided elsewhere (core/doctor.py).

Plain blocking functions: call them in a thread.
"""

import ctypes
import os
import platform
import pwd
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import zcplatform
from zcplatform.errors import StepFailed
from zcplatform.settings import Span

_TIME_ERROR = 5
_TIMEX_BYTES = 208
_NOBODY = 65534


def port_free(port: int) -> bool:
    """Whether one can listen on 127.0.0.1:port at this moment. Ports that only wait for their last packets count as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def bridges(prefix: str) -> set[str]:
    """Interfaces of this host that carry our prefix."""
    return {path.name for path in Path("/sys/class/net").glob(f"{prefix}*")}


def forwards() -> bool:
    """Whether the kernel forwards IPv4 packets, as every container needs."""
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() != "0"


def remove_bridge(name: str) -> None:
    """Take away a bridge that no network of the engine has. Already gone is success.

    An engine that was killed while it made a network leaves the bridge; adopted later as if somebody else had made it, it is left behind for
    good, and the next network with its addresses would not be reached.
    """
    if name not in bridges(name):
        return
    done = subprocess.run(["ip", "link", "delete", "dev", name], check=False, capture_output=True, text=True)
    if done.returncode != 0 and name in bridges(name):
        raise StepFailed("network.bridge_stays", f"The bridge `{name}` cannot be removed: {done.stderr.strip()[:200]}", "ip link delete it")


def overlapping_uids(span: Span, etc: Path = Path("/etc")) -> str | None:
    """Who else uses ids of the range: a user, a group, or somebody's subordinate range. None when nobody does."""
    for file, kind in (("passwd", "user"), ("group", "group")):
        for fields in _lines(etc / file):
            if len(fields) > 2 and fields[2].isdecimal() and int(fields[2]) in span:
                return f"{kind} {fields[0]} ({fields[2]} in {etc / file})"
    for file in ("subuid", "subgid"):
        for fields in _lines(etc / file):
            if len(fields) == 3 and fields[1].isdecimal() and fields[2].isdecimal():
                first, count = int(fields[1]), int(fields[2])
                if count and first <= span.last and first + count - 1 >= span.first:
                    return f"the range of {fields[0]} ({first}-{first + count - 1} in {etc / file})"
    return None


def interpreter_blocker(user: str, interpreter: Path = Path(sys.executable)) -> Path | None:
    """What keeps this user from running our interpreter with our package; None when it can. Tried for real, then searched for."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        uid, gid = _NOBODY, _NOBODY
    else:
        uid, gid = entry.pw_uid, entry.pw_gid
    package = Path(zcplatform.__file__).parent
    command = [str(interpreter), "-c", "import zcplatform"]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(package.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, user=uid, group=gid, extra_groups=[], cwd="/", env=environment, capture_output=True, timeout=60, check=False
        )
        if done.returncode == 0:
            return None
    except PermissionError:
        pass
    wanted = (interpreter, interpreter.resolve(), Path(sys.prefix), package, package / "__init__.py")
    return next((closed for path in wanted if (closed := _closed_part(path, uid, gid)) is not None), interpreter)


def kernel() -> str:
    return platform.release()


def swap_active() -> bool:
    return len(Path("/proc/swaps").read_text().splitlines()) > 1


def cgroup_version() -> int:
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def program_version(program: str | Path, *arguments: str) -> str:
    """The first line it prints; empty when it cannot be run."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip()[:100] if done.returncode == 0 else ""


def clock_is_synchronized() -> bool | None:
    """What the kernel knows; None when it may not be asked."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    return None if answer < 0 else answer != _TIME_ERROR


def free_bytes(path: Path) -> int:
    """Of the file system that holds the path, or would."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def _lines(file: Path) -> list[list[str]]:
    try:
        return [line.split(":") for line in file.read_text(errors="replace").splitlines()]
    except FileNotFoundError:
        return []


def _closed_part(path: Path, uid: int, gid: int) -> Path | None:
    """The first folder on the way that this user may not enter, or the end of the way if it may not be read."""
    for part in [*reversed(path.parents), path]:
        try:
            status = part.stat()
        except OSError:
            return part
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        needed = 0o5 if part == path and stat.S_ISDIR(status.st_mode) else 0o1 if stat.S_ISDIR(status.st_mode) else 0o4
        if (status.st_mode >> shift) & needed != needed:
            return part
    return None
