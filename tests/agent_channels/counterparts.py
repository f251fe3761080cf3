"""Servers that stand at an address of one's own, played by what their makers publish: signal-cli's HTTP daemon, Mattermost's API
(version 4) and Gitea's."""

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

ROBOT = "robot0000000000000000000000"
ROOM = "room00000000000000000000000"


class SignalDaemon:
    """`signal-cli daemon --http`: JSON-RPC at /api/v1/rpc, what arrives as server-sent events at /api/v1/events."""

    def __init__(self, account: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self._account = account
        self._arrived: queue.Queue[str | None] = queue.Queue()

    def write(self, number: str, words: str) -> None:
        at = int(time.time() * 1000)
        message = {"timestamp": at, "message": words, "expiresInSeconds": 0, "viewOnce": False}
        envelope = {
            "source": number,
            "sourceNumber": number,
            "sourceUuid": None,
            "sourceDevice": 1,
            "timestamp": at,
            "dataMessage": message,
        }
        self._arrived.put(json.dumps({"envelope": envelope, "account": self._account}))

    def said(self, number: str, words: str) -> bool:
        return any(number in sent["recipient"] and words in sent["message"] for sent in self.sent)

    def answer(self, method: str, path: str, authorization: str, asked: Any) -> tuple[int, object] | None:
        where = path.partition("?")[0]
        if (method, where) == ("GET", "/api/v1/events"):
            return None
        if (method, where) == ("GET", "/api/v1/check"):
            return 200, {}
        if (method, where) != ("POST", "/api/v1/rpc") or asked["params"].get("account") != self._account:
            return 404, {}
        if asked["method"] == "send":
            self.sent.append(asked["params"])
        return 200, {"jsonrpc": "2.0", "id": asked["id"], "result": {"timestamp": 1}}

    def events(self) -> Iterator[str]:
        while (told := self._arrived.get()) is not None:
            yield told

    def end(self) -> None:
        self._arrived.put(None)


class MattermostServer:
    """One room, asked again and again for new posts."""

    def __init__(self, token: str) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_asked = threading.Event()
        """For what is new: from now on it is heard."""
        self._token = token
        self._posts: dict[str, dict[str, Any]] = {}

    def write(self, person: str, words: str) -> None:
        at = int(time.time() * 1000)
        name = f"post{len(self._posts):022}"
        self._posts[name] = {
            "id": name,
            "create_at": at,
            "user_id": person,
            "channel_id": ROOM,
            "message": words,
            "root_id": "",
            "type": "",
        }

    def said(self, words: str) -> list[dict[str, Any]]:
        return [sent for sent in self.sent if words in sent["message"]]

    def answer(self, method: str, path: str, authorization: str, asked: Any) -> tuple[int, object] | None:
        where, _, query = path.partition("?")
        if authorization != f"Bearer {self._token}":
            return 401, {"id": "api.context.session_expired.app_error", "status_code": 401}
        match method, where.removeprefix("/api/v4"):
            case "GET", "/users/me":
                return 200, {"id": ROBOT, "username": "agent"}
            case "GET", "/users/me/channels":
                return 200, [self._room()]
            case "GET", place if place == f"/channels/{ROOM}":
                return 200, self._room()
            case "GET", place if place == f"/channels/{ROOM}/posts":
                self.is_asked.set()
                since = int(query.removeprefix("since=") or 0)
                new = {name: post for name, post in self._posts.items() if post["create_at"] > since}
                return 200, {"order": list(reversed(new)), "posts": new}
            case "POST", "/posts":
                self.sent.append(asked)
                return 201, {"id": f"answer{len(self.sent):020}", **asked}
        return 200, {}

    def _room(self) -> dict[str, Any]:
        return {"id": ROOM, "type": "O", "team_id": "team", "name": "town-square", "delete_at": 0}

    def events(self) -> Iterator[str]:
        yield from ()

    def end(self) -> None:
        pass


class Forge:
    """Gitea: one repository with one issue, asked again and again for new comments."""

    def __init__(self, token: str) -> None:
        self.sent: list[tuple[str, str]] = []
        self.is_asked = threading.Event()
        """For what is new: from now on it is heard."""
        self._token = token
        self._comments: list[dict[str, Any]] = []

    def write(self, person: str, words: str) -> None:
        # Whole seconds: that of now began before the agent did.
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        issue = "http://127.0.0.1/api/v1/repos/ada/notes/issues/7"
        user = {"id": 2, "login": person, "username": person}
        told = {"id": len(self._comments) + 1, "body": words, "user": user, "created_at": at, "updated_at": at, "issue_url": issue}
        self._comments.append(told)

    def said(self, words: str) -> list[str]:
        return [issue for issue, body in self.sent if words in body]

    def answer(self, method: str, path: str, authorization: str, asked: Any) -> tuple[int, object] | None:
        where, _, query = path.partition("?")
        if authorization not in (f"token {self._token}", f"Bearer {self._token}"):
            return 401, {"message": "invalid username, password or token"}
        match method, where.removeprefix("/api/v1"):
            case "GET", "/user":
                return 200, {"id": 1, "login": "agent", "username": "agent"}
            case "GET", "/repos/ada/notes/issues/comments":
                self.is_asked.set()
                return 200, self._comments if dict(parse_qsl(query)).get("page", "1") == "1" else []
            case "POST", "/repos/ada/notes/issues/7/comments":
                self.sent.append(("7", asked["body"]))
                return 201, {"id": 1000 + len(self.sent), "body": asked["body"]}
            case "GET", _:
                return 200, []
        return 201, {"id": 1}

    def events(self) -> Iterator[str]:
        yield from ()

    def end(self) -> None:
        pass


@contextmanager
def standing(made: SignalDaemon | MattermostServer | Forge) -> Iterator[str]:
    """Its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def _answer(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told = made.answer(self.command, self.path, self.headers.get("Authorization", ""), json.loads(text) if text else None)
            if told is None:
                self._stream()
                return
            body = json.dumps(told[1]).encode()
            self.send_response(told[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.flush()
            for event in made.events():
                self.wfile.write(f"event:receive\ndata:{event}\n\n".encode())
                self.wfile.flush()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            made.end()
            server.shutdown()
            thread.join()
