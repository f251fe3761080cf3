"""A real registry of the tests' own, and the way to it, which can be narrow or gone."""

import contextlib
import os
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

from tests.live.edge_rig import free_port
from tests.live.waiting import wait_until

CONFIG = """version: 0.1
storage:
  filesystem:
    rootdirectory: {root}
http:
  addr: 127.0.0.1:{port}
"""
TLS = """  tls:
    certificate: {certificate}
    key: {key}
"""


class Registry:
    """Debian's docker-registry. `name` is the repository's, on the port of a relay in front of it."""

    def __init__(self, root: Path) -> None:
        self._root, self._port = root, free_port()
        self.relay = Relay(self._port)
        self.address = f"127.0.0.1:{self.relay.port}"
        self.name = f"{self.address}/zeroclaw"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._root.mkdir(exist_ok=True)
        config = self._root / "config.yml"
        config.write_text(CONFIG.format(root=self._root / "blobs", port=self._port))
        log = os.open(self._root / "registry.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
        finally:
            os.close(log)
        wait_until(self._answers, 20, "the registry answers")

    def secure(self, port: int, certificate: Path, key: Path) -> list[str]:
        """The command of a second one on the same blobs, with TLS."""
        config = self._root / "secure.yml"
        config.write_text(CONFIG.format(root=self._root / "blobs", port=port) + TLS.format(certificate=certificate, key=key))
        return ["docker-registry", "serve", str(config)]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def close(self) -> None:
        self.stop()
        self.relay.close()

    def digest(self, tag: str) -> str:
        """As the registry itself reports it."""
        accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
        accept += ", application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json"
        url = f"http://127.0.0.1:{self._port}/v2/zeroclaw/manifests/{tag}"
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=10) as answer:
            return str(answer.headers["Docker-Content-Digest"])

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0


class Relay:
    """A TCP relay that can hold back what comes from the other side."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = int(self._listener.getsockname()[1])
        self._left = 0
        self._open = threading.Event()
        self._open.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_after(self, size_bytes: int) -> None:
        """Nothing more comes after so much, until `let_go`."""
        self._left = size_bytes
        self._open.clear()

    def let_go(self) -> None:
        self._open.set()

    def close(self) -> None:
        self.let_go()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as far:
            back = threading.Thread(target=self._pump, args=(far, near, True), daemon=True)
            back.start()
            self._pump(near, far, False)
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, is_held: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(64 * 1024):
                if is_held and not self._open.is_set():
                    self._left -= len(chunk)
                    if self._left < 0:
                        self._open.wait()
                sink.sendall(chunk)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
