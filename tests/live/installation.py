"""One installation on a real engine and the real Caddy: its settings, its processes and how to kill them, its database and its API.

`serve` and `edge` are the installed program, run by root as subprocesses. tests/live/platform.py adds what people do with it.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.live.edge_rig import free_port
from tests.live.engine import Engine
from tests.live.waiting import wait_until
from zcplatform import settings as settings_module
from zcplatform.ids import Names, new_token_id
from zcplatform.settings import Settings
from zcplatform.store import tokens
from zcplatform.store.db import Database
from zcplatform.vault import keys
from zcplatform.vault.sealing import token_hash

MODEL_ADDRESS = "198.51.100.77"
AT, LATER = "2026-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"


@dataclass
class Answer:
    status: int
    body: Any
    headers: httpx2.Headers


class Installation:
    def __init__(self, engine: Engine, instance: str, **changed: object) -> None:
        self.engine = engine
        self.root = Path(tempfile.mkdtemp(prefix=f"zcp-{instance}-", dir=os.environ.get("ZCP_TEST_DIR", "/var/tmp")))
        self.root.chmod(0o711)
        self.run = Path(tempfile.mkdtemp(prefix=f"zcp-{instance}-", dir="/run"))
        self.model_port = free_port()
        self.agent = os.environ.get("AGENT")
        self.python = sys.executable
        """The interpreter of the environment that has the platform."""
        self.failpoint = self.root / "failpoint"
        self.settings_path = self.root / "settings.toml"
        self._values: dict[str, object] = {
            "instance": instance,
            "data_dir": str(self.root / "data"),
            "run_dir": str(self.run),
            "key_file": str(self.root / "root.key"),
            "docker_socket": str(engine.socket),
            # Installations of one network must not share a pool: the program refuses one with foreign networks in it.
            "subnets": f"10.{100 + zlib.crc32(instance.encode()) % 100}.0.0/16",
            "http_port": free_port(),
            "ask_port": free_port(),
            "reconcile_period_s": 1.0,
            "health_period_s": 1.0,
            "start_timeout_s": 20.0,
            "allowed_hosts": [f"{MODEL_ADDRESS}:{self.model_port}"],
            "image_repositories": ["registry.invalid/zeroclaw"],
            "image_binaries": [self.agent] if self.agent else [],
            **changed,
        }
        self.configure()
        self.serve: subprocess.Popen[bytes] | None = None
        self.edge: subprocess.Popen[bytes] | None = None
        self.model: subprocess.Popen[bytes] | None = None
        self.token = ""

    def configure(self, **changed: object) -> None:
        """Write the settings file again; the next start reads it."""
        self._values |= changed
        self.settings_path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in self._values.items()))
        self.settings_path.chmod(0o600)
        self._loaded: Settings | None = None

    def rename_settings(self, names: Mapping[str, str]) -> None:
        """Use the names that another release knows."""
        self._values = {names.get(key, key): value for key, value in self._values.items()}
        self.configure()

    @property
    def settings(self) -> Settings:
        if self._loaded is None:
            self._loaded = settings_module.load(self.settings_path)
        return self._loaded

    @property
    def names(self) -> Names:
        return Names(self.settings.instance)

    # ---- processes

    def start(self) -> None:
        self.start_serve()
        self.start_edge()
        self.start_model()
        if not self.token:
            self.token = self.new_token()

    def start_serve(self, *, wait: bool = True) -> None:
        self.serve = self._run("serve", ZCPLATFORM_FAILPOINT_FILE=str(self.failpoint))
        if wait:
            try:
                wait_until(self.is_ready, 20, "the platform is ready")
            except TimeoutError:
                raise AssertionError(f"the platform does not get ready: {self.log()}") from None

    def start_edge(self) -> None:
        self.edge = self._run("edge")
        wait_until(self._edge_answers, 20, "the edge answers")

    def start_model(self) -> None:
        subprocess.run(["ip", "addr", "replace", f"{MODEL_ADDRESS}/32", "dev", "lo"], check=True)
        self.model = self._run("-m", "zcplatform.demo_agent.echo_model", f"{MODEL_ADDRESS}:{self.model_port}")

    def _run(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        command = [self.python, "-I"]
        command += list(arguments) if arguments[0] == "-m" else ["-m", "zcplatform", arguments[0], "--settings", str(self.settings_path)]
        name = arguments[0] if arguments[0] != "-m" else "model"
        log = os.open(self.root / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            return subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"], **environment},
                start_new_session=True,
            )
        finally:
            os.close(log)

    def stop_serve(self, limit_s: float = 10) -> None:
        if self.serve is not None and self.serve.poll() is None:
            self.serve.send_signal(signal.SIGTERM)
            self.serve.wait(limit_s)
        self.serve = None

    def kill_serve(self) -> None:
        assert self.serve is not None
        self.serve.kill()
        self.serve.wait()
        self.serve = None

    def stop_edge(self) -> None:
        _end(self.edge)
        self.edge = None

    def kill_edge(self) -> None:
        assert self.edge is not None
        self.edge.kill()
        self.edge.wait()
        self.edge = None

    def web_pid(self) -> int:
        assert self.serve is not None
        children = Path(f"/proc/{self.serve.pid}/task/{self.serve.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                if b"zcplatform.web.app" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        raise AssertionError("there is no web process")

    def log(self, name: str = "serve") -> str:
        path = self.root / f"{name}.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    def close(self) -> None:
        """Remove everything: processes by pid, then what carries the instance's name."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop_serve()
        for process in (self.serve, self.edge, self.model):
            _end(process)
        instance = self.settings.instance
        for kind, remove in (("ps", ["rm", "-f"]), ("network", ["network", "rm"])):
            listed = self.docker(
                *([kind] if kind == "ps" else ["network", "ls"]),
                *(["-a"] if kind == "ps" else []),
                "-q",
                "--filter",
                f"label=io.zcplatform.instance={instance}",
            )
            if listed:
                self.docker(*remove, *listed.split())
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            point = line.split()[4]
            if point.startswith(f"{self.run}/"):
                subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- database and API

    def new_token(self) -> str:
        root_keys = keys.Keys.of(keys.load(self.settings.key_file))
        value = "zcp_" + secrets.token_urlsafe(32)
        row = tokens.Token(new_token_id(), "tests", token_hash(root_keys.token_pepper, value), value[:8], AT, LATER)
        with self.database() as database:
            database.write_now(lambda tx: tokens.insert(tx, row))
        return value

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        opened = Database(self.settings.database)
        try:
            yield opened
        finally:
            opened.close()

    def client(self) -> httpx2.Client:
        transport = httpx2.HTTPTransport(
            uds=str(self.settings.web_socket), verify=False
        )  # making a context for TLS takes as long as the rest
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx2.Client(transport=transport, base_url="http://panel", timeout=30, headers=headers, trust_env=False)

    def api(self, method: str, path: str, body: object = None) -> Answer:
        with self.client() as client:
            answer = client.request(method, path, **({"json": body} if body is not None else {}))
            is_json = answer.headers.get("content-type", "").endswith("json")
            return Answer(answer.status_code, answer.json() if is_json else answer.text, answer.headers)

    def is_ready(self) -> bool:
        assert self.serve is not None
        assert self.serve.poll() is None, f"serve ended: {self.log()}"
        if not _listens(self.settings.web_socket):
            return False
        try:
            return self.api("GET", "/readyz").status == 200
        except httpx2.TransportError:
            return False

    def _edge_answers(self) -> bool:
        assert self.edge is not None
        assert self.edge.poll() is None, f"edge ended: {self.log('edge')}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.settings.http_port)) == 0

    def docker(self, *arguments: str) -> str:
        done = subprocess.run(["docker", "-H", f"unix://{self.engine.socket}", *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None and process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
