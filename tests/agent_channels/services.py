"""Services whose software is not to be had, played by what they publish of their interface.

`serving`: one HTTPS server for all names that the agent knows by heart, which keeps what it is sent. `Telegram`: the Bot API at an address of its own.
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.agent_channels.trust import Certificate

ADDRESS = "127.0.0.3"
NAMES = ("api.line.me", "graph.facebook.com", "api.linqapp.com")
_ANSWERS = {"/v2/bot/info": {"userId": "Ubot", "displayName": "agent", "basicId": "@agent", "chatMode": "bot", "markAsReadMode": "auto"}}


@dataclass(frozen=True)
class Call:
    url: str
    headers: dict[str, str]
    """Names in lower case."""
    text: str


@dataclass
class Services:
    calls: list[Call] = field(default_factory=list)

    def said(self, url: str, words: str) -> list[Call]:
        return [call for call in self.calls if call.url == url and words in call.text]


@contextmanager
def serving(certificate: Certificate | None, host: str = ADDRESS, port: int = 443) -> Iterator[Services]:
    """Without a certificate over plain HTTP."""
    services = Services()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            services.calls.append(Call(self.headers["Host"] + self.path, headers, text))
            _send(self, _ANSWERS.get(self.path, {}))

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.chain, certificate.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        with _thread(server):
            yield services


class Telegram:
    """The methods of the Bot API that a conversation needs: `getUpdates` waits, everything else is said to be done."""

    def __init__(self, token: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self._token = token
        self._updates: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self.ends = False

    def write(self, sender: int, name: str, words: str) -> None:
        person = {"id": sender, "is_bot": False, "first_name": name, "username": name}
        with self._arrived:
            number = len(self._updates) + 1
            chat = {"id": sender, "type": "private", "first_name": name, "username": name}
            message = {"message_id": number, "date": 1_700_000_000, "from": person, "chat": chat, "text": words}
            self._updates.append({"update_id": number, "message": message})
            self._arrived.notify_all()

    def answers_to(self, chat: int) -> list[str]:
        return [str(sent["text"]) for sent in self.sent if str(sent["chat_id"]) == str(chat)]

    def call(self, path: str, asked: dict[str, Any]) -> tuple[int, object]:
        head, _, method = path.partition("?")[0].rpartition("/")
        if head != f"/bot{self._token}":
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        if method == "getMe":
            return 200, {"ok": True, "result": {"id": 1, "is_bot": True, "first_name": "agent", "username": "agent_bot"}}
        if method == "getUpdates":
            return 200, {"ok": True, "result": self._after(int(asked.get("offset", 0)))}
        if method == "sendMessage":
            self.sent.append(asked)
            return 200, {"ok": True, "result": {"message_id": 1000 + len(self.sent), "date": 0, "chat": {"id": 1, "type": "private"}}}
        return 200, {"ok": True, "result": True}

    def _after(self, offset: int) -> list[dict[str, Any]]:
        def new() -> list[dict[str, Any]]:
            return [update for update in self._updates if update["update_id"] >= offset]

        with self._arrived:
            self._arrived.wait_for(lambda: bool(new()) or self.ends, 2)
            return new()


@contextmanager
def telegram(token: str, host: str = "127.0.0.1") -> Iterator[tuple[Telegram, str]]:
    made = Telegram(token)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = made.call(self.path, json.loads(text) if text else {})
            _send(self, answer, status)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer((host, 0), Handler) as server, _thread(server):
        try:
            yield made, f"http://{host}:{server.server_port}"
        finally:
            made.ends = True


def _send(handler: BaseHTTPRequestHandler, answer: object, status: int = 200) -> None:
    body = json.dumps(answer).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def _thread(server: ThreadingHTTPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
