"""The Docker engine: the host's own where it answers, else one of the demo's that shares nothing with it and leaves nothing."""

import contextlib
import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import host
import processes
from place import KEY, RUN, STATE, Failed, Memory, log, say, wait

DEFAULT = Path("/var/run/docker.sock")
FOLDER = RUN / "engine"
SOCKET = FOLDER / "docker.sock"
DATA = STATE / "engine"
CGROUP = f"zcp-demo-{KEY}"
START_S, STOP_S, PATIENCE_S = 45, 30, 15
PROGRAMS = ("dockerd", "containerd", "containerd-shim", "docker-proxy", "runc")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, what: str, method: str = "GET", timeout_s: float = 5) -> tuple[int, bytes]:
    """Status and body; status 0 when nobody answers."""
    connection = _Connection(path, timeout_s)
    try:
        connection.request(method, what)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def answers(path: Path) -> bool:
    return ask(path, "/_ping") == (200, b"OK")


def find(memory: Memory) -> Path:
    """The socket of an engine that answers. An engine of the demo's that runs is kept; the host's is used as it is."""
    if processes.pid(memory, "engine") is not None:
        start(memory)
        return SOCKET
    wanted = _wanted()
    others = host.engines()
    # One that was just installed takes a moment.
    if wait(lambda: answers(wanted), PATIENCE_S if others else 0):
        say(f"Docker: the engine of this host, at {wanted}")
        return wanted
    if wanted != DEFAULT:
        raise Failed(f"No Docker engine answers at {wanted}, which DOCKER_HOST names.")
    if others:
        raise Failed(
            f"A Docker engine runs here (pid {others[0]}) and does not answer at {DEFAULT}. A second one would take its firewall rules away."
            " Name its socket: DOCKER_HOST=unix:///path/to/docker.sock scripts/demo"
        )
    start(memory)
    return SOCKET


def _wanted() -> Path:
    named = os.environ.get("DOCKER_HOST", "")
    if not named:
        return DEFAULT
    if not named.startswith("unix:///"):
        raise Failed(f"DOCKER_HOST={named} is not a socket of this host (unix:///…); tenants run on this host.")
    return Path(named.removeprefix("unix://"))


def start(memory: Memory) -> None:
    if processes.pid(memory, "engine") is not None and answers(SOCKET):
        say("Docker: the demo's own engine runs already")
        return
    say(f"Docker: no engine answers at {DEFAULT}, starting one of the demo's own")
    if memory["host_before"] is None:
        memory["host_before"] = host.before_engine()
    for folder in (FOLDER, DATA):
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    (FOLDER / "daemon.json").write_text("{}\n")
    # Once more when it fails: the first start after a kill often ends with `timeout waiting for containerd`.
    for _ in range(2):
        processes.stop(memory, ["engine"], STOP_S)
        (FOLDER / "docker.pid").unlink(missing_ok=True)
        processes.start(memory, "engine", _command())
        if wait(lambda: processes.pid(memory, "engine") is None or answers(SOCKET), START_S) and answers(SOCKET):
            return
    raise Failed("The Docker engine does not start.", log("engine"))


def _command() -> list[str]:
    return [
        "dockerd",
        f"--config-file={FOLDER / 'daemon.json'}",
        f"--data-root={DATA}",
        f"--exec-root={FOLDER / 'exec'}",
        f"--pidfile={FOLDER / 'docker.pid'}",
        f"--host=unix://{SOCKET}",
        "--bridge=none",
        f"--cgroup-parent=/{CGROUP}",
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]


def stop(memory: Memory, subnets: str | None) -> None:
    """With everything it started and changed. Nothing happens when the engine was the host's.

    An engine that died keeps its networks; they are known by their addresses in `subnets`, which are this installation's alone.
    """
    if memory["host_before"] is None:
        return
    processes.stop(memory, ["engine"], STOP_S)
    _end_the_rest()
    host.unmount(DATA)
    _remove_cgroups()
    host.after_engine(memory["host_before"], subnets)
    host.remove_folder(FOLDER)
    memory["host_before"] = None


def _end_the_rest() -> None:
    """What an engine that was killed left running."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _left_behind():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait(lambda: not list(_left_behind()), 5):
            return
    raise Failed("Processes of the demo's engine do not end.", log("engine"))


def _left_behind() -> Iterator[int]:
    """Ours are known by their cgroup, or as programs of an engine that have our folder in their arguments."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            groups = (process / "cgroup").read_text()
        except OSError:
            continue
        is_program = Path(words[0]).name.startswith(PROGRAMS) and any(str(FOLDER) in word for word in words)
        if (is_program or f"/{CGROUP}/" in groups) and processes.started(int(process.name)) is not None:
            yield int(process.name)


def _remove_cgroups() -> None:
    for top in [*Path("/sys/fs/cgroup").glob(CGROUP), *Path("/sys/fs/cgroup").glob(f"*/{CGROUP}")]:
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def remove_images(path: Path, instance: str) -> None:
    """Those that this installation made; a pulled one may be somebody else's too."""
    wanted = quote(json.dumps({"label": [f"io.zcplatform.made-by={instance}"]}))
    status, body = ask(path, f"/images/json?filters={wanted}")
    found: list[dict[str, Any]] = json.loads(body) if status == 200 else []
    for image in found:
        ask(path, f"/images/{image['Id']}?force=true", "DELETE", 30)


def has_image(path: Path, engine_id: str) -> bool:
    return ask(path, f"/images/{engine_id}/json")[0] == 200
