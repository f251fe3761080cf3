"""Read facts about this host: ports, routes, users, kernel, programs, disk space. core/doctor decides what they mean.

Plain blocking functions: call them in a thread.
"""

import ctypes
import os
import platform
import pwd
import shutil
import socket
import stat
import struct
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

import zcplatform
from zcplatform.core.subnet_pool import HostNetwork
from zcplatform.errors import StepFailed
from zcplatform.settings import Span

_LISTENING = "0A"
_TIME_ERROR = 5
_TIMEX_BYTES = 208
_NOBODY = 65534


def port_free(port: int) -> bool:
    """Whether a program could listen on 127.0.0.1:port now. Ports in TIME_WAIT count as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def listened_ports() -> set[int]:
    """Return the TCP ports on which some program listens, on any address. Any user may read all of them."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in _words(Path("/proc/net") / table):
            if len(line) > 3 and line[3] == _LISTENING:
                found.add(int(line[1].rpartition(":")[2], 16))
    return found


def routes() -> list[HostNetwork]:
    """Return the IPv4 routes of the main table."""
    found = []
    for line in _words(Path("/proc/net/route"))[1:]:
        if len(line) > 7 and line[0] != "lo":
            address, mask = (struct.pack("<I", int(line[column], 16)) for column in (1, 7))
            found.append(HostNetwork(IPv4Network((address, int.from_bytes(mask, "big").bit_count())), line[0]))
    return found


def unmapped_uid(span: Span, maps: Path = Path("/proc/self")) -> str:
    """Describe what part of a range of user ids is missing in this user namespace; empty if all of it exists."""
    for kind in ("uid_map", "gid_map"):
        covered = [(int(first), int(first) + int(count) - 1) for first, _, count in _words(maps / kind)]
        if not any(first <= span.first and span.last <= last for first, last in covered):
            highest = max((last for _, last in covered), default=0)
            return f"this host runs in a user namespace whose {kind[:3]}s end at {highest}"
    return ""


def bridges(prefix: str) -> set[str]:
    """Return the interfaces of this host with this prefix."""
    return {path.name for path in Path("/sys/class/net").glob(f"{prefix}*")}


def forwards() -> bool:
    """Whether the kernel forwards IPv4 packets, as every container needs."""
    return Path("/proc/sys/net/ipv4/ip_forward").read_text().strip() != "0"


def remove_bridge(name: str) -> None:
    """Remove a bridge that belongs to no network of the engine. A bridge that is already gone counts as success.

    An engine that was killed while it created a network leaves the bridge behind. Later it takes the bridge for a foreign one and never removes it,
    and the next network with the same addresses would be unreachable.
    """
    if name not in bridges(name):
        return
    done = subprocess.run(["ip", "link", "delete", "dev", name], check=False, capture_output=True, text=True)
    if done.returncode != 0 and name in bridges(name):
        raise StepFailed(
            "network.bridge_stays", f"The bridge `{name}` cannot be removed: {done.stderr.strip()[:200]}", "Delete it with `ip link delete`"
        )


def overlapping_uids(span: Span, etc: Path = Path("/etc")) -> str | None:
    """Return what else uses ids of the range: a user, a group or a subordinate range. None: nothing does."""
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
    """Return what prevents this user from running our interpreter with our package; None if nothing does. Must run as root.

    First it is run for real; only if that fails is the path searched for what blocks it.
    """
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
    """Return the first line that a program prints; empty if it cannot be run."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.partition("\n")[0].strip()[:100] if done.returncode == 0 else ""


def clock_is_synchronized() -> bool | None:
    """Return a value of the kernel; None if it cannot be read."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    return None if answer < 0 else answer != _TIME_ERROR


def free_bytes(path: Path) -> int:
    """Return the free space of the file system that holds the path, or would hold it."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def _words(file: Path) -> list[list[str]]:
    try:
        return [line.split() for line in file.read_text(errors="replace").splitlines()]
    except OSError:
        return []


def _lines(file: Path) -> list[list[str]]:
    try:
        return [line.split(":") for line in file.read_text(errors="replace").splitlines()]
    except FileNotFoundError:
        return []


def _closed_part(path: Path, uid: int, gid: int) -> Path | None:
    """Return the first directory of a path that this user may not enter, or the path itself if they may not read it."""
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
