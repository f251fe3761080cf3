"""The platform itself: its settings file, its processes, its token, and ways to ask it."""

import http.client
import json
import os
import pwd
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import host
import processes
from place import INSTANCE, KEY, ROOT, RUN, STATE, Failed, Memory, log, say, wait, write

SETTINGS = STATE / "settings.toml"
TOKEN = STATE / "token"
HTTP_PORT, ASK_PORT, MODEL_PORT = 8480, 9180, 9100
USERS = ("zcplatform-web", "zcplatform-edge")
PROCESSES = ("serve", "edge", "model")


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Installation:
    def __init__(self, memory: Memory, venv: Path, settings: dict[str, Any]) -> None:
        self.memory = memory
        self.venv = venv
        self.settings = settings

    # ---- the program

    @property
    def port(self) -> int:
        return int(self.settings["http_port"])

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def program(self) -> list[str]:
        return [str(self.venv / "bin" / "python"), "-I", "-m", "zcplatform"]

    @property
    def stamp(self) -> str:
        """What the code is: a process that was started from another one is started again."""
        package = self.venv / ".package"
        return f"{self.venv.name} {package.read_text().strip() if package.exists() else ''}"

    def start(self) -> None:
        """Processes that run from the same code and settings keep running."""
        host_port = self.settings["allowed_hosts"][0]
        wanted = {
            "model": ([*_nobody(), *self.program[:-1], "zcplatform.demo_agent.echo_model", host_port], f"{self.stamp} {host_port}"),
            "edge": ([*self.program, "edge", "--settings", str(SETTINGS)], f"{self.stamp} {self.port} {self.settings['ask_port']}"),
            "serve": ([*self.program, "serve", "--settings", str(SETTINGS)], f"{self.stamp} {json.dumps(self.settings, sort_keys=True)}"),
        }
        stale = [name for name, (_, stamp) in wanted.items() if not processes.is_current(self.memory, name, stamp)]
        if [name for name in stale if processes.pid(self.memory, name) is not None]:
            say("settings or code changed since the last run: starting again what they are for")
        processes.stop(self.memory, stale, 12)
        for name in stale:
            command, stamp = wanted[name]
            processes.start(self.memory, name, command, stamp)
        if stale:
            say(f"platform: {', '.join(stale)} started; logs are in {STATE}")
        else:
            say("platform: everything runs already")
        self._wait_ready()

    def _wait_ready(self) -> None:
        def gone() -> list[str]:
            return [name for name in PROCESSES if processes.pid(self.memory, name) is None]

        wait(lambda: bool(gone()) or self.visit("127.0.0.1", "/readyz").status == 200, 40)
        if gone():
            raise Failed(f"`{gone()[0]}` ended instead of running.", log(gone()[0]))
        if self.visit("127.0.0.1", "/readyz").status != 200:
            raise Failed(f"{self.api_url}/readyz does not get ready.", log("serve"))

    # ---- asking

    def visit(
        self, name: str, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: object = None, timeout_s: float = 30
    ) -> Answer:
        """Through Caddy, by a host's name; status 0 when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        sent = {"Host": f"{name}:{self.port}", **(headers or {})}
        try:
            if body is not None:
                sent["Content-Type"] = "application/json"
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException):
            return Answer(0, b"")
        finally:
            connection.close()

    def api(self, path: str) -> Answer:
        return self.visit("127.0.0.1", path, headers={"Authorization": f"Bearer {self.token()}"})

    def token(self) -> str:
        return TOKEN.read_text().strip()

    def cli(self, *arguments: str) -> None:
        """As a person types it: steps and errors are shown as they come."""
        done = subprocess.run(self._command(arguments), env=_cli_environment(), check=False)
        if done.returncode != 0:
            raise Failed(f"`zcplatform {' '.join(arguments)}` failed.", log("serve"))

    def cli_json(self, *arguments: str) -> Any:
        done = subprocess.run(self._command([*arguments, "--json"]), env=_cli_environment(), stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"`zcplatform {' '.join(arguments)}` failed.", log("serve"))
        return json.loads(done.stdout)

    def admin(self, *arguments: str) -> str:
        """Verbs of the host: they open the database themselves."""
        command = [*self.program, "--settings", str(SETTINGS), "admin", *arguments]
        done = subprocess.run(command, env=_cli_environment(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"`zcplatform admin {' '.join(arguments)}` failed: {done.stderr.strip()}", log("serve"))
        return done.stdout.strip()

    def _command(self, arguments: Any) -> list[str]:
        return [*self.program, "--api", self.api_url, "--token-file", str(TOKEN), *arguments]

    def ensure_token(self) -> None:
        """The one of an earlier run while it is good, else a new one for a week."""
        if TOKEN.exists() and self.api("/api/tenants?limit=1").status == 200:
            return
        write(TOKEN, self.admin("token", "create", "--name", "demo", "--days", "7") + "\n")


def load(memory: Memory, venv: Path) -> Installation | None:
    """As the last run left it."""
    if not SETTINGS.exists():
        return None
    return Installation(memory, venv, tomllib.loads(SETTINGS.read_text()))


def configure(memory: Memory, venv: Path, socket: Path, agent: Path | None) -> Installation:
    """Ports, networks and the model's address stay what they were in the run before, so that tenants keep their addresses."""
    before = tomllib.loads(SETTINGS.read_text()) if SETTINGS.exists() else {}
    address = host.model_address(memory)
    model_port = int(before["allowed_hosts"][0].rpartition(":")[2]) if before else MODEL_PORT
    wanted = {"http_port": before.get("http_port", HTTP_PORT), "ask_port": before.get("ask_port", ASK_PORT)}
    if processes.pid(memory, "edge") is None:
        wanted["http_port"] = host.free_port(wanted["http_port"])
        wanted["ask_port"] = host.free_port(wanted["ask_port"])
    if processes.pid(memory, "model") is None:
        model_port = host.free_port(model_port, address)
    turn = int(KEY, 16)
    first_uid, first_port = 700_000 + turn % 60 * 1_000, 20_000 + turn % 90 * 100
    settings: dict[str, Any] = {
        "instance": INSTANCE,
        "data_dir": str(STATE / "data"),
        "run_dir": str(RUN),
        "key_file": str(STATE / "root.key"),
        "docker_socket": str(socket),
        "domain": "localhost",
        "tls": "off",
        **wanted,
        "allowed_hosts": [f"{address}:{model_port}"],
        "ports": before.get("ports", f"{first_port}-{first_port + 99}"),
        "uids": before.get("uids", f"{first_uid}-{first_uid + 999}"),
        "subnets": before["subnets"] if "subnets" in before else host.free_subnets(),
        "reconcile_period_s": 2,
        "health_period_s": 5,
    }
    if found := host.resolvers():
        settings["resolvers"] = found
    if agent is not None:
        settings["image_binaries"] = [str(agent)]
    write(SETTINGS, "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    return Installation(memory, venv, settings)


def find_venv(memory: Memory) -> Path:
    """The one the demo runs from; made again when somebody removed it."""
    known = memory["venv"]
    if known and (Path(known) / ".complete").exists():
        return Path(known)
    done = subprocess.run([str(ROOT / "scripts" / "venv"), "run"], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failed("The Python packages could not be installed; what pip said is above.")
    return Path(done.stdout.strip()).resolve()


def missing_users() -> list[str]:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return [name for name in USERS if name not in known]


def _nobody() -> list[str]:
    nobody = pwd.getpwnam("nobody")
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--no-new-privs", "--"]


def _cli_environment() -> dict[str, str]:
    return processes.environment(XDG_CONFIG_HOME=str(STATE / "login"), COLUMNS=os.environ.get("COLUMNS", "120"))
