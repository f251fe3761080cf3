"""Middleware around all routes: limits on size, duration, rate and content type of requests; security headers and timing on responses.

Unexpected errors become responses here too, because they would otherwise lack these headers.
"""

import asyncio
import time
from collections import Counter

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zcplatform.errors import TooMany
from zcplatform.web import problems
from zcplatform.web.metrics import Metrics
from zcplatform.web.problems import problem
from zcplatform.web.rates import Rates

LARGEST_BODY = 64 * 1024
BODY_WITHIN_S = 20.0
MOST_HEADERS = 100
LARGEST_HEADERS = 32 * 1024
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
KNOWN_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
JSON_TYPES = frozenset({b"application/json", b"application/json;charset=utf-8"})
PATCH_TYPES = JSON_TYPES | {b"application/merge-patch+json"}
ONCE = frozenset({b"authorization", b"content-length", b"content-type", b"host", b"idempotency-key", b"origin", b"x-forwarded-for"})
"""Headers that may appear only once: two servers could each use a different one."""
UNCOUNTED = frozenset({"/healthz", "/readyz", "/internal/ask"})
"""Paths that the edge and monitoring request."""


class Guard:
    """ASGI middleware. Counts and limits are the application's (`state.metrics`, `state.rates`)."""

    def __init__(self, app: ASGIApp, body_within_s: float = BODY_WITHIN_S) -> None:
        self._app = app
        self._body_within_s = body_within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)  # only a page of ours has a policy of its own
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = _refusal(scope) or _too_often(scope)
        try:
            if refusal is not None:
                await refusal(scope, receive, answer)
            else:
                await self._app(scope, _limited(receive, self._body_within_s), answer)
        except Exception as error:
            unexpected = problems.unexpected(scope, error)
            if not status:  # otherwise the server aborts the response, which has begun
                await unexpected(scope, receive, answer)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            method = scope["method"] if scope["method"] in KNOWN_METHODS else "other"
            metrics: Metrics = scope["app"].state.metrics
            metrics.requests.labels(route, method, str(status)).observe(time.perf_counter() - started)


def _too_often(scope: Scope) -> Response | None:
    if scope["path"] in UNCOUNTED:
        return None
    rates: Rates = scope["app"].state.rates
    address = dict(scope["headers"]).get(b"x-forwarded-for", b"local").decode("latin-1")
    try:
        rates.of_address(address[:64])
    except TooMany as error:
        return problems.of(error)
    return None


def _refusal(scope: Scope) -> Response | None:
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > LARGEST_HEADERS:
        return problem(431, "request.headers", "The request has too many headers, or too long ones", "send fewer")
    if any(count > 1 and name in ONCE for name, count in Counter(name for name, _ in headers).items()):
        return problem(400, "request.headers", "A header that may appear only once was sent twice", "send each header once")
    sent = dict(headers)
    length = sent.get(b"content-length", b"0")
    if not (length.isdigit() and len(length) < 20):
        return problem(400, "request.unreadable", "Content-Length is not a number", "send the number of bytes of the body")
    if int(length) > LARGEST_BODY:
        return problems.too_large()
    if sent.get(b"content-encoding"):
        return problem(415, "request.encoding", "Compressed bodies are not accepted", "send plain JSON")
    has_body = length != b"0" or b"transfer-encoding" in sent
    content_type = sent.get(b"content-type", b"").replace(b" ", b"").lower()
    types = PATCH_TYPES if scope["method"] == "PATCH" else JSON_TYPES
    if scope["method"] in MUTATIONS and (has_body or content_type) and content_type not in types:
        return problem(415, "request.content_type", "Bodies must be application/json", "send Content-Type: application/json")
    return None


def _limited(receive: Receive, within_s: float) -> Receive:
    """Limit the bytes that really arrive and the time they take: a chunked body declares no length, and a slow one holds a connection.

    After the body the application waits for the client to disconnect, without a time limit.
    """
    seen, is_whole = 0, False
    until = asyncio.get_running_loop().time() + within_s

    async def limited() -> Message:
        nonlocal seen, is_whole
        try:
            async with asyncio.timeout_at(None if is_whole else until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if seen > LARGEST_BODY:
                raise HTTPException(413)
        return message

    return limited
