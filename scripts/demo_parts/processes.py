"""Background processes, known by pid and start time: a pid that was given to somebody else meanwhile is never signalled."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from place import STATE, Failed, Memory, log, wait

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOG_BYTES = 5_000_000


def environment(**more: str) -> dict[str, str]:
    """Nothing of the caller's but the way through a proxy and the terminal: a ZCPLATFORM_ variable would override the settings file."""
    kept = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "TERM", "LANG", "LC_ALL", "SSL_CERT_FILE")
    return {"PATH": SYSTEM_PATH, "HOME": "/root", **{name: os.environ[name] for name in kept if name in os.environ}, **more}


def start(memory: Memory, name: str, command: Sequence[str], stamp: str = "", env: Mapping[str, str] | None = None) -> None:
    """`stamp` says what it was started from; see `is_current`."""
    path = log(name)
    if path.exists() and path.stat().st_size > LOG_BYTES:
        path.replace(path.with_suffix(".log.old"))
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env or environment(), cwd=STATE, start_new_session=True
        )
    except OSError as error:
        raise Failed(f"{command[0]} cannot be started: {error.strerror}") from None
    finally:
        os.close(output)
    memory.put("processes", name, {"pid": process.pid, "started": started(process.pid), "stamp": stamp})


def started(pid: int) -> int | None:
    """When, in ticks since the boot; None for a process that is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def pid(memory: Memory, name: str) -> int | None:
    """Of a process of ours that still runs."""
    known = (memory["processes"] or {}).get(name)
    if known is None or known["started"] is None or started(known["pid"]) != known["started"]:
        return None
    return int(known["pid"])


def is_current(memory: Memory, name: str, stamp: str) -> bool:
    return pid(memory, name) is not None and memory["processes"][name]["stamp"] == stamp


def stop(memory: Memory, names: Sequence[str], limit_s: float) -> None:
    """All are asked to stop at once; processes that remain after `limit_s` are killed."""
    for name in names:
        _signal(memory, name, signal.SIGTERM)
    if not wait(lambda: all(pid(memory, name) is None for name in names), limit_s):
        for name in names:
            _signal(memory, name, signal.SIGKILL)
        wait(lambda: all(pid(memory, name) is None for name in names), 5)
    for name in names:
        memory.put("processes", name, None)


def _signal(memory: Memory, name: str, number: signal.Signals) -> None:
    found = pid(memory, name)
    if found is None:
        return
    try:
        handle = os.pidfd_open(found)
    except OSError:
        return
    try:
        if pid(memory, name) == found:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
