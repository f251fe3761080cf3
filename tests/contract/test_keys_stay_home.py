"""No key reaches a server it was not saved for, wherever the real agent could lend one: embedding, fallbacks, summaries, jobs, servers of tools.

Each role has a server of its own that writes down the headers it gets. Settings and file are made as the platform makes them.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from tests.contract.rig import KEY, TOKEN, Home, Program, Running
from tests.live.waiting import wait_until
from zcplatform.agent.agent_settings import parse
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.policy import Policy, environment
from zcplatform.agent.rendering import NO_KEY, document
from zcplatform.agent.sealed import seal, token_hash
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.agent.validation import problems

pytestmark = pytest.mark.agent
ANSWER_S = 20


@dataclass
class Server:
    """Answers as an OpenAI-compatible service; with `status` 500 it fails each chat, so that the agent tries the next one."""

    status: int = 200
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator["Server"]:
        with ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) as listening:
            self.url = f"http://127.0.0.1:{listening.server_address[1]}/v1"
            thread = threading.Thread(target=listening.serve_forever)
            thread.start()
            yield self
            listening.shutdown()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
                server.seen.append((self.path, dict(self.headers)))
                self._answer(*server.answer(self.path, sent))

            def do_GET(self) -> None:
                server.seen.append((self.path, dict(self.headers)))
                self._answer(404, {})

            def _answer(self, status: int, body: object) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler

    def answer(self, path: str, sent: Mapping[str, Any]) -> tuple[int, object]:
        if path.endswith("/embeddings"):
            texts = sent.get("input", "")
            rows = [
                {"object": "embedding", "index": n, "embedding": [0.1] * 8} for n in range(len(texts) if isinstance(texts, list) else 1)
            ]
            return 200, {"object": "list", "data": rows, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        if path.endswith("/messages"):
            words = [{"type": "text", "text": "an answer"}]
            usage = {"input_tokens": 1, "output_tokens": 1}
            return 200, {
                "id": "x",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": words,
                "stop_reason": "end_turn",
                "usage": usage,
            }
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "an answer"}}
        return self.status, {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": {}}

    @property
    def words(self) -> str:
        return json.dumps(self.seen)


class Pinned(Home):
    pinned: Mapping[str, str] = {}

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in self.pinned.items() if name not in ("ZEROCLAW_gateway__host", "ZEROCLAW_gateway__port")}
        return {**super().environment(), **kept}


@contextmanager
def speaking(folder: Path, sent: dict[str, Any], secrets: Mapping[str, str]) -> Iterator[Running]:
    settings = parse(sent)
    assert problems(settings, Policy(), {*secrets, *(slot.name for slot in secret_slots(settings) if not slot.is_needed)}) == {}
    home = Pinned(folder, Program("real", (os.environ["AGENT"],)))
    home.pinned = environment(settings, Policy())
    for name in ("data", "agents", "shared", "state"):
        (folder / name).mkdir(mode=0o700)
    home.write(".secret_key", KEY.hex())
    written = document(settings, secrets, Policy(), AgentState((token_hash(TOKEN),)), lambda value: seal(KEY, value))
    written["gateway"].update(host="127.0.0.1", port=home.port)
    home.write("config.toml", tomli_w.dumps(written))
    with home.running() as running:
        yield running


def test_no_server_gets_the_key_of_another(tmp_path: Path) -> None:
    keys = {role: f"sk-canary-{role}-0123456789" for role in ("main", "third", "tools")}
    with ExitStack() as stack:
        servers = {role: stack.enter_context(Server(500 if role in ("main", "second") else 200).running()) for role in
                   ("main", "second", "third", "cheap", "embedding", "tools", "open_tools")}  # fmt: skip
        settings = {
            "providers": {
                **{
                    role: {"family": "custom", "model": "m", "base_url": servers[role].url, **({} if role in keys else {"auth": "none"})}
                    for role in ("main", "second", "third", "cheap")
                },
                "embedding": {"family": "ollama", "model": "m", "base_url": servers["embedding"].url},
            },
            "mcp": {
                "tools": {"url": servers["tools"].url, "headers": ["Authorization"]},
                "open_tools": {"url": servers["open_tools"].url},
            },
            "memory": {"embedding_dimensions": 8},
        }
        settings["providers"]["main"]["fallbacks"] = ["second", "third"]
        secrets = {f"providers.{role}.api_key": keys[role] for role in ("main", "third")} | {
            "mcp.tools.headers.Authorization": keys["tools"]
        }
        agent = stack.enter_context(speaking(tmp_path, settings, secrets))
        for number in range(3):
            agent.say(f"message {number}: please remember that my favourite colour is blue and my cat is called Tom")
        wait_until(lambda: bool(servers["embedding"].seen), ANSWER_S, "the embedding server gets a request")
        for role, server in servers.items():
            foreign = [other for other, key in keys.items() if other != role and key in server.words]
            assert foreign == [], f"the server of {role} got the key of {foreign}: {server.words[:2000]}"
        assert keys["main"] in servers["main"].words
        assert servers["second"].seen, "the first fallback was tried"
        assert keys["third"] in servers["third"].words
        assert f"Bearer {NO_KEY}" in servers["embedding"].words


def test_an_embedding_server_gets_its_own_key(tmp_path: Path) -> None:
    with ExitStack() as stack:
        main, embedding = (stack.enter_context(Server().running()) for _ in range(2))
        settings = {
            "providers": {
                "main": {"family": "custom", "model": "m", "base_url": main.url},
                "embedding": {"family": "custom", "model": "m", "base_url": embedding.url},
            },
            "memory": {"embedding_dimensions": 8},
        }
        secrets = {"providers.main.api_key": "sk-canary-main-01", "providers.embedding.api_key": "sk-canary-embedding-01"}
        agent = stack.enter_context(speaking(tmp_path, settings, secrets))
        agent.say("please remember that my favourite colour is blue")
        wait_until(lambda: bool(embedding.seen), ANSWER_S, "the embedding server gets a request")
        assert "Bearer sk-canary-embedding-01" in embedding.words
        assert "sk-canary-main" not in embedding.words
        assert "sk-canary-embedding" not in main.words


@pytest.mark.parametrize("family", ["anthropic", "custom"])
def test_an_embedding_server_without_a_key_gets_none(tmp_path: Path, family: str) -> None:
    """The agent has the key of its first provider at hand here, and sent it."""
    with ExitStack() as stack:
        main, embedding = (stack.enter_context(Server().running()) for _ in range(2))
        settings = {
            "providers": {
                "main": {"family": family, "model": "m", "base_url": main.url},
                "embedding": {"family": "ollama", "model": "m", "base_url": embedding.url},
            },
            "memory": {"embedding_dimensions": 8},
        }
        agent = stack.enter_context(speaking(tmp_path, settings, {"providers.main.api_key": "sk-ant-canary-0123456789"}))
        agent.say("please remember that my favourite colour is blue")
        wait_until(lambda: bool(embedding.seen), ANSWER_S, "the embedding server gets a request")
        assert "sk-ant-canary" in main.words
        assert "sk-ant-canary" not in embedding.words
        assert f"Bearer {NO_KEY}" in embedding.words
