"""What is checked of every request before any route sees it, and put on every answer: sizes, content type, security headers, timing."""

import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zcplatform.web.metrics import Metrics
from zcplatform.web.problems import problem

LARGEST_BODY = 64 * 1024
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
KNOWN_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, answer)
        else:
            await self._app(scope, _limited(receive), answer)
        route = getattr(scope.get("route"), "path", "unknown")
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
        self._metrics.requests.labels(route, method, str(status)).observe(time.perf_counter() - started)


def _refusal(scope: Scope) -> Any:
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > LARGEST_BODY:
        return problem(413, "request.too_large", "The body is larger than 64 KiB", "send less")
    if headers.get(b"content-encoding"):
        return problem(415, "request.encoding", "Compressed bodies are not taken", "send plain JSON")
    has_body = length != b"0" or b"transfer-encoding" in headers
    content_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if scope["method"] in MUTATIONS and has_body and content_type != b"application/json":
        return problem(415, "request.content_type", "Bodies must be application/json", "send Content-Type: application/json")
    return None


def _limited(receive: Receive) -> Receive:
    """Count what really arrives: a chunked body has no length to believe."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise HTTPException(413)
        return message

    return limited
