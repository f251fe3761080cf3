"""Runs one agent program as a local process, on a configuration that the platform itself rendered."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import tomli_w

import zcplatform
from tests import forked
from tests.rendered import rendered
from zcplatform.agent.config_file import paired_token_hashes, parse
from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.agent.sealed import seal, token_hash, unseal

START_S = 20
KEY = bytes(range(32))
TOKEN = "zc_" + "ab" * 32
CANARY = "sk-canary-0123456789"
DEMO = (sys.executable, "-m", "zcplatform.demo_agent")
ROOT = Path(zcplatform.__file__).parent.parent


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


def programs() -> list[Program]:
    """The demo agent, and the real one when AGENT names its program."""
    real = os.environ.get("AGENT")
    demo = Program("demo", DEMO)
    return [demo, Program("real", (real,))] if real else [demo]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def echo_model() -> Iterator[str]:
    """The address of a model that repeats its input."""
    command = [sys.executable, "-m", "zcplatform.demo_agent.echo_model", "127.0.0.1:0"]
    with subprocess.Popen(command, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield line.split()[-1]
        process.terminate()


@dataclass
class Home:
    """A configuration directory as a tenant's container sees it."""

    path: Path
    program: Program
    port: int = field(default_factory=free_port)

    @property
    def file(self) -> Path:
        return self.path / "config.toml"

    @property
    def text(self) -> str:
        return self.file.read_text("utf-8")

    def prepare(self, provider: ProviderWithKey | None) -> None:
        for name in ("data", "agents", "shared", "state"):
            (self.path / name).mkdir(mode=0o700)
        self.write(".secret_key", KEY.hex())
        document = tomllib.loads(rendered(provider, (token_hash(TOKEN),), lambda value: seal(KEY, value)))
        document["gateway"].update(host="127.0.0.1", port=self.port)
        self.write("config.toml", tomli_w.dumps(document))

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.write_text(text, "utf-8")
        path.chmod(0o600)

    def change(self, pattern: str, replacement: str) -> None:
        text, count = re.subn(pattern, replacement, self.text)
        assert count, f"{pattern} is not in the configuration"
        self.file.write_text(text, "utf-8")

    def gateway(self, **values: Any) -> None:
        document = tomllib.loads(self.text)
        document["gateway"].update(values)
        self.write("config.toml", tomli_w.dumps(document))

    def tokens(self) -> tuple[str, ...]:
        return paired_token_hashes(parse(self.text), lambda value: unseal(KEY, value))

    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.path / "state"),
            "ZEROCLAW_CONFIG_DIR": str(self.path),
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """For commands that end, and for daemons that refuse to start."""
        variables = {**self.environment(), **(environment or {})}
        if self.program.command == DEMO:
            return forked.end(DEMO[-1], arguments, variables, stdin)
        return subprocess.run(
            [*self.program.command, *arguments],
            env=variables,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    @contextmanager
    def running(self) -> Iterator["Running"]:
        process = subprocess.Popen(
            [*self.program.command, "--verbose", "daemon"],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running = Running(self, process)
        try:
            running.wait_until_it_listens()
            yield running
        finally:
            running.end()


class Running:
    def __init__(self, home: Home, process: "subprocess.Popen[str]") -> None:
        self.home = home
        self.process = process
        self.lines: list[str] = []
        self.url = f"http://127.0.0.1:{home.port}"
        # A connection for each request: the real agent closes one without saying so when it answered before it had read the body (a wrong
        # bearer or type of content is rejected by the headers alone), and under load the next request met the closed end.
        self.http = httpx2.Client(
            base_url=self.url, verify=False, trust_env=False, timeout=30, limits=httpx2.Limits(max_keepalive_connections=0)
        )
        self._listens = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if "listening on http" in line:
                self._listens.set()
        self._listens.set()

    def wait_until_it_listens(self) -> None:
        assert self._listens.wait(START_S), "".join(self.lines)
        assert self.process.poll() is None, "".join(self.lines)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(START_S)

    def end(self) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def ask(self, method: str, path: str, *, bearer: str | None = TOKEN, client: str | None = None, **options: Any) -> httpx2.Response:
        headers = dict(options.pop("headers", {}))
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        if client is not None:
            headers["X-Forwarded-For"] = client
        return self.http.request(method, path, headers=headers, **options)

    def say(self, message: str, **options: Any) -> httpx2.Response:
        return self.ask("POST", options.pop("path", "/webhook"), json={"message": message}, **options)

    def code(self) -> str:
        return str(self.ask("POST", "/api/pairing/initiate").json()["pairing_code"])

    def pair(self, code: str, client: str) -> httpx2.Response:
        return self.ask("POST", "/pair", bearer=None, client=client, headers={"X-Pairing-Code": code})

    def metrics(self) -> dict[str, float]:
        lines = self.http.get("/metrics").text.splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


Spoiler = Callable[[Home], object]
