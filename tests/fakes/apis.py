"""APIs that misbehave, for the command line: real HTTP on a port of their own, named by vice."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

TENANT = {
    "id": "ten_a", "slug": "shop", "name": "Shop", "plan": "free", "state": "running", "reason": "healthy and reachable",
    "next_attempt_at": None, "wanted": "running", "generation": 2, "revision": 1, "url": "http://shop.localhost/", "image": None, "provider": None,
    "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z",
}  # fmt: skip

TEST = {
    "detail": "it took the key and answered", "family": "custom", "host": "llm.example:443", "status": 200, "model_listed": True,
    "tested_at": "2026-01-01T00:00:00.000Z",
}  # fmt: skip
CHANNEL = {
    "name": "irc.main", "kind": "irc", "is_compiled": True, "is_enabled": True, "is_ready": False, "status": "error", "restarts": 3,
    "error": "Connection refused\x1b[31m", "requirements": [],
}  # fmt: skip
DEVICE = {
    "id": "a-1", "name": "Phone", "kind": "mobile", "address": "192.0.2.1", "paired_at": "2026-01-01T00:00:00.000Z",
    "last_seen_at": "2026-01-01T00:00:00.000Z", "is_platform": False,
}  # fmt: skip


def operation(status: str, **changed: Any) -> dict[str, Any]:
    ended = None if status in ("waiting", "running") else "2026-01-01T00:00:01.000Z"
    step = {"name": "start", "status": "running" if ended is None else status, "attempts": 1, "error": None}
    times = {"started_at": "2026-01-01T00:00:00.000Z", "finished_at": ended}
    return {
        "id": "op_a", "kind": "tenant.deploy", "status": status, "tenant_id": "ten_a", "image_id": None, "reason": "", "attempts": 1,
        "next_attempt_at": None, "error": None, "requested_by": "me", "created_at": "2026-01-01T00:00:00.000Z", **times,
        "steps": [{**step, **times}], **changed,
    }  # fmt: skip


class Honest(BaseHTTPRequestHandler):
    """Answers as the real one does; an operation ends at the third look."""

    looks: ClassVar[int] = 0
    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]] = []
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def answer(self, status: int, body: object, content_type: str = "application/json") -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).seen.append((self.command, self.path, dict(self.headers), body))
        path = self.path.split("?")[0]
        if self.live(path, body):
            return
        if path == "/api/events":
            self.events()
        elif path.startswith("/api/operations/"):
            type(self).looks += 1
            self.answer(200, self.ended() if type(self).looks >= 3 else operation("running"))
        elif path.endswith(("/deploy", "/stop")) or (self.command == "DELETE" and "/devices" not in path):
            self.answer(202, operation("waiting"))
        elif path == "/api/tenants":
            self.answer(
                200 if self.command == "GET" else 201, {"items": [TENANT], "next_cursor": None} if self.command == "GET" else TENANT
            )
        elif path.endswith("/pairing-code"):
            self.answer(200, {"code": "Abc123", "expires_at": "2026-01-01T00:10:00.000Z", "url": "http://shop.localhost/"})
        elif path.endswith("/logs"):
            self.answer(200, b"one\n\x1b[31mtwo\x1b[0m\n", "text/plain")
        elif path == "/api/images":
            self.answer(200, {"items": []})
        else:
            self.answer(200, TENANT)

    def live(self, path: str, body: bytes) -> bool:
        """Requests to a running agent."""
        if path.endswith("/messages"):
            self.answer(200, {"text": "echo: hello\n\x1b[31mred\tline", "model": "echo"})
        elif path.endswith("/test"):
            self.answer(200, {**TEST, "result": "refused" if body else "works"})
        elif path.endswith("/channels/health"):
            self.answer(200, {"items": [CHANNEL, {**CHANNEL, "name": "nostr.main", "is_compiled": False, "is_ready": None, "error": None}]})
        elif path.endswith("/devices"):
            listed = {"items": [DEVICE, {**DEVICE, "id": "b-2", "is_platform": True}]}
            self.answer(200, listed if self.command == "GET" else {"restarts": True})
        elif "/devices/" in path:
            self.answer(204, b"")
        return path.endswith(("/messages", "/test", "/channels/health", "/devices")) or "/devices/" in path

    def ended(self) -> dict[str, Any]:
        return operation("succeeded")

    def events(self) -> None:
        self.answer(200, b": connected\n\n" + b"".join(b"data: op_a %d\n\n" % number for number in range(3)), "text/event-stream")

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


class Failing(Honest):
    """Its operations fail."""

    def ended(self) -> dict[str, Any]:
        error = {"code": "image.missing", "detail": "The image of `shop` is not on this host", "hint": "prepare it again"}
        return operation("failed", error=error)


class BreakingOff(Honest):
    """Its event stream ends in the middle of a line, at once."""

    def events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b": conn")
        self.close_connection = True


class Restarting(BreakingOff):
    """Its event stream breaks off, and for a moment the edge in front of it has nobody to ask."""

    def ended(self) -> dict[str, Any]:
        return operation("succeeded")

    def answer(self, status: int, body: object, content_type: str = "application/json") -> None:
        if self.path.startswith("/api/operations/") and type(self).looks == 2:
            super().answer(502, b"", "text/plain")
        else:
            super().answer(status, body, content_type)


class Forgetting(Honest):
    """Its tenant is gone before anybody asks for its events, and everything else of it too, but for the operation that deleted it."""

    def handle_any(self) -> None:
        if self.path.startswith("/api/operations/") or self.command == "DELETE":
            super().handle_any()
        else:
            told = {"code": "tenant.unknown", "detail": "There is no tenant `shop`", "hint": "", "fields": {}}
            self.answer(404, told, "application/problem+json")

    def ended(self) -> dict[str, Any]:
        return operation("succeeded", kind="tenant.delete")

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


class Moved(Honest):
    """Leads everybody to another address."""

    def handle_any(self) -> None:
        type(self).seen.append((self.command, self.path, dict(self.headers), b""))
        self.send_response(308)
        self.send_header("Location", f"http://{self.headers['Host']}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


class Website(Honest):
    """Some other server: a page for everything."""

    def handle_any(self) -> None:
        self.answer(200, b"<html>welcome</html>", "text/html")

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


class Refusing(Honest):
    """Says no to everything, as problem+json with hostile text."""

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {
            "code": "tenant.exists",
            "detail": "There is a tenant `shop` \x1b[31malready",
            "hint": "choose another",
            "fields": {"slug": "taken"},
        }
        self.answer(409, told, "application/problem+json")

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


class Babbling(Honest):
    """Answers 500 with something that is no JSON."""

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(500, b"<html>oops</html>", "text/html")

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


@contextmanager
def serving(kind: type[Honest]) -> Iterator[tuple[str, type[Honest]]]:
    """(address, the class with what it has seen)."""
    fresh = type(kind.__name__, (kind,), {"looks": 0, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", fresh
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
