"""The matrix: every case is rendered, taken by the agent's strict parser, passed by its checks, and run by a daemon that says so itself.

usage: python -m tests.agent.matrix AGENT      in a network of its own (scripts/test-agent makes one)
One daemon runs many cases: a provider each, with an agent of its own, and all channels side by side. Families that call any address are sent a message
for an answer of a local model as well.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import tomli_w

from tests.agent import cases
from tests.agent.cases import Case
from zcplatform.agent import hooks
from zcplatform.agent.agent_settings import Provider, to_json
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.bindings import address
from zcplatform.agent.channels import types
from zcplatform.agent.policy import Policy, environment
from zcplatform.agent.providers import FAMILIES, Family, Uri
from zcplatform.agent.rendering import render
from zcplatform.agent.runtime import CONFIG_TARGET
from zcplatform.agent.sealed import seal, token_hash

KEY = bytes(range(32))
TOKEN = "zc_" + "ab" * 32
PORT = 42617
OWN_BUILD = ("default", "channels-full")
STEPS = ("rendered", "parsed", "checked", "started", "state")
START_S = 30


@dataclass
class Row:
    case: Case
    passed: dict[str, str] = field(default_factory=dict)
    """Step to the empty text, or why not."""
    note: str = ""

    @property
    def is_good(self) -> bool:
        return list(self.passed) == list(STEPS) and not any(self.passed.values())


def main(agent: str) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zcp-matrix-") as work, _model() as address:
        cases.MODEL = address
        rows = [Row(case) for case in cases.everything()]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda pair: _ask(agent, Path(work) / str(pair[0]), pair[1]), enumerate(rows)))
        for number, batch in enumerate(_batches(rows)):
            _serve(agent, Path(work) / f"batch{number}", [row for row in batch if not any(row.passed.values())])
    return _print(rows, time.monotonic() - began)


def _print(rows: list[Row], took_s: float) -> int:
    width = max(len(str(row.case)) for row in rows)
    for row in rows:
        marks = " ".join("ok  " if row.passed.get(step) == "" else "FAIL" if step in row.passed else "-   " for step in STEPS)
        why = next((why for why in row.passed.values() if why), row.note)
        print(f"{row.case!s:<{width}}  {marks}  {why}".rstrip())
    for kind in types().values():
        if kind.use != "talk":
            print(f"channels.{kind.name:<{width - 9}}  {'announces only' if kind.use == 'announce' else 'left out'}: {kind.why_not}")
    for area in ("providers", "channels"):
        mine = [row for row in rows if row.case.subject.startswith(area)]
        names = {row.case.subject for row in mine}
        whole = {name for name in names if all(row.is_good for row in mine if row.case.subject == name)}
        print(f"{area}: {sum(row.is_good for row in mine)} of {len(mine)} cases, {len(whole)} of {len(names)} whole")
    good = sum(row.is_good for row in rows)
    answers = sum("answers" in row.note for row in rows)
    print(f"matrix: {good} of {len(rows)} pass ({answers} answer a message of a local model); {took_s:.0f} s")
    return 0 if good == len(rows) else 1


def _ask(agent: str, home: Path, row: Row) -> None:
    """Render, strict parse, semantic validation; with the environment that pins the policy, as in a container."""
    case = row.case
    try:
        text = _text(case)
    except Exception as error:
        row.passed["rendered"] = f"{type(error).__name__}: {error}"
        return
    row.passed["rendered"] = ""
    _prepare(home, text)
    pinned = environment(case.settings, Policy())
    ran = _run(agent, home, pinned, "config", "migrate", "--json")
    answer = _json(ran.stdout)
    problem = "" if answer.get("valid") is True and answer.get("migrated") is False else str(answer.get("error") or ran.stderr)[-300:]
    row.passed["parsed"] = problem or _complaint(ran.stderr)
    if row.passed["parsed"]:
        return
    ran = _run(agent, home, pinned, "config", "patch", "--json", "-", stdin="[]")
    row.passed["checked"] = "" if ran.returncode == 0 and _json(ran.stdout).get("saved") is True else (ran.stderr or ran.stdout)[-300:]


def _text(case: Case) -> str:
    return render(case.settings, case.secrets, Policy(), AgentState((token_hash(TOKEN),)), lambda value: seal(KEY, value))


def _complaint(stderr: str) -> str:
    return next((line[:300] for line in stderr.splitlines() if "malformed" in line or "unknown" in line.lower()), "")


def _batches(rows: list[Row]) -> Iterator[list[Row]]:
    """Cases that fit in one file: one of each family or type."""
    by_subject: dict[str, list[Row]] = {}
    for row in rows:
        if row.passed.get("checked") == "":
            by_subject.setdefault(row.case.subject, []).append(row)
    for area in ("providers", "channels"):
        mine = [found for name, found in by_subject.items() if name.startswith(area)]
        for batch in zip_longest(*mine):
            yield [row for row in batch if row is not None]


def _serve(agent: str, home: Path, rows: list[Row]) -> None:
    if not rows:
        return
    document = _joined(rows)
    document["gateway"]["webhook_rate_limit_per_minute"] = 10_000
    document["reliability"] = {"provider_retries": 0}
    _prepare(home, tomli_w.dumps(document))
    pinned = {name: value for row in rows for name, value in environment(row.case.settings, Policy()).items()}
    pinned["ZEROCLAW_gateway__host"] = "127.0.0.1"
    area = rows[0].case.subject.partition(".")[0]
    with _daemon(agent, home, pinned) as trouble:
        for row in rows:
            row.passed["started"] = trouble
        if trouble:
            return
        told = {one["name"] if "." in one["name"] else f"{one['type']}.{one['alias']}": one for one in _get("/api/channels")["channels"]}
        components = _settled({f"channel:{name}" for name, one in told.items() if one["compiled"]} if area == "channels" else set())
        log = (home / "log").read_text(errors="replace")
        for row in rows:
            if row.case.subject.startswith("channels"):
                row.passed["state"], row.note = _channel_state(row.case, told, components, log)
            else:
                row.passed["state"], row.note = _provider_state(row.case, home / "log")


def _joined(rows: list[Row]) -> dict[str, Any]:
    """One file of many: the first one's frame, an agent for each provider."""
    document: dict[str, Any] = {}
    agents: dict[str, Any] = {}
    for row in rows:
        one = tomllib.loads(_text(row.case))
        area, _, name = row.case.subject.partition(".")
        if area == "providers":
            agents[name] = one["agents"]["main"]
        _merge(document, one)
    document["agents"] |= agents
    listeners = cases.AgentSettings(channels={name: channel for row in rows for name, channel in row.case.settings.channels.items()})
    if not agents:
        _ports(document, listeners)
        document["agents"]["main"]["channels"] = list(to_json(listeners)["channels"])
    return document


def _ports(document: dict[str, Any], settings: cases.AgentSettings) -> None:
    """As if all were channels of one tenant."""
    for one in hooks.of(to_json(settings)["channels"]).listeners:
        kind, _, alias = one.channel.partition(".")
        public = types()[kind].public
        assert public is not None
        assert public.port_field is not None
        document["channels"][kind][alias][public.port_field] = one.port


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into.setdefault(key, value)


def _channel_state(case: Case, told: Mapping[str, Any], components: Mapping[str, Any], log: str) -> tuple[str, str]:
    """Without a network nothing is connected: right is what the catalog says of the build, a supervisor of its own, the right owner."""
    name = f"{case.subject.removeprefix('channels.')}.main"
    known, one = types()[case.subject.removeprefix("channels.")], told.get(name)
    if one is None:
        return f"the daemon does not list {name}", ""
    is_personal = known.name == "whatsapp" and case.size == "minimal"
    feature = (known.also_compiled or {})["web"] if is_personal else known.compiled
    is_built = feature in OWN_BUILD
    if bool(one["compiled"]) is not is_built:
        return f"compiled is {one['compiled']}, the catalog says {feature}", ""
    if not one["enabled"] or one["owning_agent"] != "main":
        return f"enabled is {one['enabled']}, owned by {one['owning_agent']}", ""
    if not is_built:
        return "", f"not in this build: needs {feature}"
    component = components.get(f"channel:{name}") or components.get(known.name)
    if component is not None:
        return "", f"{component['status']}, {component['restart_count']} restarts"
    return ("", "runs") if f"[{name}]" in log else (f"nothing of it runs: {one['status']}, {one['health']}", "")


def _provider_state(case: Case, log: Path) -> tuple[str, str]:
    """A message to each: the answer of a local model where the family calls any address; else the agent tries to reach, without a network,
    exactly the host that the catalog names. A program of the image is looked for."""
    family = FAMILIES[case.subject.removeprefix("providers.")]
    provider = case.settings.providers["main"]
    before = log.stat().st_size
    said = _post(f"/webhook?agent={family.name}", {"message": "hello matrix"})
    if provider.base_url and family.uri is not Uri.IGNORED and case.form != "refresh_token":
        return ("", "answers") if SAYS in str(said.get("response", "")) else (f"no answer of the local model: {json.dumps(said)[:200]}", "")
    told = _COLOUR.sub("", log.read_bytes()[before:].decode(errors="replace"))
    hosts = {urlsplit(found).netloc for pair in _TRIED.findall(told) for found in pair if found}
    if case.form == "login":
        if SAYS in str(said.get("response", "")):
            return "", "its program is not in the image; the fallback answers"
        errors = re.findall(r'"error":"([^"]{0,300})', told)
        is_missing = any("Failed to spawn" in one or "not found" in one or "No such file" in one for one in errors)
        return ("", "its program is not in the image") if is_missing else (f"no program was looked for: {errors}", "")
    wanted = _wanted(family, case, provider)
    if not hosts and family.name == "hailo_ollama" and "Hailo-Ollama connection failed" in told:
        return "", "calls an address that it does not show"
    return ("", f"calls {wanted}") if hosts == {wanted} else (f"called {', '.join(sorted(hosts)) or 'nothing'}, not {wanted}", "")


def _wanted(family: Family, case: Case, provider: Provider) -> str:
    if family.name == "minimax" and case.form == "refresh_token":
        return urlsplit(family.endpoints[str(provider.options.get("endpoint", "intl"))]).netloc
    return HOSTS.get(f"{family.name} {case.form}") or HOSTS.get(family.name) or urlsplit(address(provider) or "").netloc


HOSTS = {
    "azure": "my-resource.openai.azure.com",
    "bedrock": "bedrock-runtime.eu-central-1.amazonaws.com",
    "copilot": "api.github.com",
    "qwen refresh_token": "chat.qwen.ai",
}
"""Hosts that are made of settings, or asked first."""
_TRIED = re.compile(r'"endpoint":"([^"]*)"|error sending request for url \((https?://[^)]*)\)')
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def _settled(awaited: set[str]) -> Mapping[str, Any]:
    """Components after every supervisor had its first try; those of a few types come late or under another name."""
    found: Mapping[str, Any] = {}
    until = time.monotonic() + 8
    while time.monotonic() < until:
        found = _get("/health")["runtime"]["components"]
        if awaited <= set(found) and all(one["status"] != "starting" for one in found.values()):
            break
        threading.Event().wait(0.5)
    return found


def _prepare(home: Path, text: str) -> None:
    home.mkdir()
    for name in ("data", "agents", "shared", "state"):
        (home / name).mkdir(mode=0o700)
    (home / "agents/main/workspace").mkdir(parents=True)
    for name, content in (("config.toml", text.replace(CONFIG_TARGET, str(home))), (".secret_key", KEY.hex())):
        (home / name).write_text(content, "utf-8")
        (home / name).chmod(0o600)


def _environment(home: Path, pinned: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": str(home / "state"), "ZEROCLAW_CONFIG_DIR": str(home), **pinned}


def _run(agent: str, home: Path, pinned: Mapping[str, str], *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [agent, *arguments], env=_environment(home, pinned), input=stdin, capture_output=True, text=True, timeout=60, check=False, cwd=home
    )


@contextmanager
def _daemon(agent: str, home: Path, pinned: Mapping[str, str]) -> Iterator[str]:
    """Yields why it did not start; the empty text when it did."""
    with (home / "log").open("w") as log:
        process = subprocess.Popen([agent, "--verbose", "daemon"], env=_environment(home, pinned), stdout=log, stderr=log, cwd=home)
    try:
        yield _started(process, home / "log")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            return f"ended with {process.returncode}: {log.read_text(errors='replace')[-400:]}"
        try:
            health = _get("/health")
        except OSError:
            threading.Event().wait(0.1)
            continue
        return "" if health.get("status") == "ok" else f"unhealthy: {health}"
    return f"not healthy after {START_S} s: {log.read_text(errors='replace')[-400:]}"


def _get(path: str) -> Any:
    return _call(urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers={"Authorization": f"Bearer {TOKEN}"}))


def _post(path: str, body: Mapping[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    try:
        return _call(urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", json.dumps(body).encode(), headers))
    except urllib.error.HTTPError as error:
        return {"error": error.code, "body": error.read(300).decode(errors="replace")}


def _call(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=40) as answer:
        return json.load(answer)


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _model() -> Iterator[str]:
    """A model that repeats its input, in each of the forms that the families use."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer({"data": [], "models": []})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            if asked.get("stream"):
                return self._stream(self.path, asked)
            return self._answer(_answer(self.path))

        def _answer(self, body: object) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, path: str, asked: Mapping[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for event in _events(path):
                self.wfile.write(event.encode())
            self.close_connection = True

        def log_message(self, *args: object) -> None:
            del args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


SAYS = "hello matrix, said the model"


def _answer(path: str) -> object:
    if path.endswith("/messages"):
        return {
            "id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": SAYS}], "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip
    if path.endswith("/responses"):
        return {
            "id": "r", "object": "response", "status": "completed", "model": "m", "output_text": SAYS,
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": SAYS}]}],
            "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
        }  # fmt: skip
    return {
        "id": "c", "object": "chat.completion", "model": "m", "message": {"role": "assistant", "content": SAYS}, "done": True,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAYS}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }  # fmt: skip


def _events(path: str) -> Iterable[str]:
    if path.endswith("/messages"):
        whole: Any = _answer(path)
        yield f"event: message_start\ndata: {json.dumps({'type': 'message_start', 'message': {**whole, 'content': []}})}\n\n"
        yield 'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": SAYS}}
        yield f"event: content_block_delta\ndata: {json.dumps(delta)}\n\n"
        yield 'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        yield 'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n'
        yield 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        return
    if path.endswith("/responses"):
        yield f"data: {json.dumps({'type': 'response.output_text.delta', 'delta': SAYS})}\n\n"
        yield f"data: {json.dumps({'type': 'response.completed', 'response': _answer(path)})}\n\n"
        return
    chunk = {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": SAYS}}],
    }
    yield f"data: {json.dumps(chunk)}\n\n"
    last = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n"


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
