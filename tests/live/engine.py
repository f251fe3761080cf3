"""A Docker engine of the tests' own: its data, its socket, its cgroups; it shares nothing with an engine of this machine but the kernel.

It must run in a network namespace of its own (scripts/test makes one), because it writes to the firewall and publishes ports.
"""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.live.waiting import wait_until

START_S = 60
BUSYBOX = Path("/bin/busybox")
# A container's first program in most tests: says who it is, then answers on the gateway's port and waits for orders.
AGENT = """#!/bin/sh
echo "agent of $(id -u) is up"
trap 'exit 0' TERM
httpd -p 42617 -h /www
while true; do sleep 0.2; done
"""


class NoEngine(Exception):
    """Why there is none, as a sentence for the person who runs the tests."""


class Engine:
    def __init__(self, *options: str) -> None:
        _check_place()
        self.root = Path(tempfile.mkdtemp(prefix="zcp-engine-", dir=os.environ.get("ZCP_TEST_DIR", "/var/tmp")))
        self.socket = self.root / "docker.sock"
        self._options = options
        # scripts/test takes away what a killed run left in the cgroups; it knows it by the name of its directory.
        self._cgroup = f"{self.root.parent.name}-{self.root.name}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Once more when it fails: the first start after a kill often ends with `timeout waiting for containerd`."""
        for is_last in (False, True):
            self._process = subprocess.Popen(self._command(), stdout=self._log(), stderr=subprocess.STDOUT, start_new_session=True)
            if self._is_up():
                return
            self.kill()
            if is_last:
                words = (self.root / "engine.log").read_text(errors="replace")[-1500:]
                raise NoEngine(f"dockerd does not start here. Its last words:\n{words}")

    def kill(self) -> None:
        """SIGKILL to the engine alone: what it started keeps running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It keeps its socket and answers nobody. A signal takes its time to reach every thread."""
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: all(state == "T" for state in _states(self.pid)), 10, "every thread of the engine stands still")

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Takes everything away, whatever state a test left it in."""
        if self._process is not None:
            self.resume()
        self.stop()
        for pid in self._left_behind():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        wait_until(lambda: not list(self._left_behind()), 20, "the engine's processes are gone")
        for point in sorted(_mounts_below(self.root), reverse=True):
            subprocess.run(["umount", "-l", point], check=False, capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)
        for folder in Path("/sys/fs/cgroup").glob(f"**/{self._cgroup}"):
            for inner, _, _ in os.walk(folder, topdown=False):
                Path(inner).rmdir()

    def _command(self) -> list[str]:
        return [
            "dockerd",
            f"--data-root={self.root / 'data'}",
            f"--exec-root={self.root / 'exec'}",
            f"--pidfile={self.root / 'docker.pid'}",
            f"--host=unix://{self.socket}",
            "--bridge=none",
            f"--cgroup-parent=/{self._cgroup}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            *self._options,
        ]

    def _log(self) -> int:
        return os.open(self.root / "engine.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _is_up(self) -> bool:
        def answers() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                raise NoEngine("it ended")
            done = subprocess.run(
                ["curl", "-sf", "--max-time", "2", "--unix-socket", self.socket, "http://docker/_ping"], capture_output=True, check=False
            )
            return done.stdout == b"OK"

        try:
            wait_until(answers, START_S, "dockerd answers")
        except (NoEngine, TimeoutError):
            return False
        return True

    def _left_behind(self) -> Iterator[int]:
        """Ours are known by our directory in their arguments, or by our cgroup."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                arguments, groups = (process / "cmdline").read_bytes(), (process / "cgroup").read_text()
                state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            is_ours = os.fsencode(self.root) in arguments or f"/{self._cgroup}/" in groups
            if is_ours and state != "Z" and int(process.name) != os.getpid():
                yield int(process.name)


def _states(pid: int) -> Iterator[str]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield (task / "stat").read_text().rpartition(")")[2].split()[0]


def busybox_tar(path: Path) -> Path:
    """The files of a small image: one static program under all its names, and a first program."""
    if not BUSYBOX.exists():
        raise NoEngine("the package busybox-static is missing: scripts/test installs it")
    root = path.with_suffix(".d")
    (root / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin" / "busybox")
    for name in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if name != "busybox":
            (root / "bin" / name).symlink_to("busybox")
    for folder in ("tmp", "etc", "zeroclaw-data", "www"):
        (root / folder).mkdir()
    (root / "www" / "health").write_text("ok\n")
    (root / "open").mkdir()
    (root / "open").chmod(0o777)
    agent = root / "bin" / "agent"
    agent.write_text(AGENT)
    agent.chmod(0o755)
    with tarfile.open(path, "w") as tar:
        tar.add(root, ".")
    return path


IMAGE_CHANGES = ('ENTRYPOINT ["/bin/agent"]', "ENV PATH=/bin")


def _check_place() -> None:
    if os.geteuid() != 0:
        raise NoEngine("live tests need root: they start a Docker engine")
    if any(line.split()[1] == "00000000" for line in Path("/proc/net/route").read_text().splitlines()[1:]):
        raise NoEngine("live tests run in a network namespace of their own: use scripts/test")
    for program in ("dockerd", "containerd", "iptables", "curl"):
        if shutil.which(program) is None:
            raise NoEngine(f"{program} is not installed: scripts/test installs it")


def _mounts_below(root: Path) -> list[str]:
    points = (line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [point for point in points if point.startswith(f"{root}/")]
