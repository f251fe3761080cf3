"""The part of HTTP/1.1 that the demo agent and its echo model need, on asyncio streams.

Bounded: heads of 64 KiB, bodies of a given size, 30 seconds to send a request. One request after the other, no pipelining.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

HEAD_BYTES = 65_536
BODY_BYTES = 65_536
READ_TIMEOUT_S = 30


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case; of repeated headers the last one."""
    body: bytes
    peer: str
    head: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:
        """Raises ValueError."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deeply") from None


Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    takes_over: Stream | None = None
    """Called with the connection instead of writing this response (WebSocket)."""

    @staticmethod
    def text(status: int, text: str) -> "Response":
        return Response(status, text.encode())

    @staticmethod
    def json(status: int, value: object) -> "Response":
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        return Response(status, body, "application/json")


Handler = Callable[[Request], Awaitable[Response]]


class BadRequest(Exception):
    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text or HTTPStatus(status).phrase)
        self.status = status


async def serve(handler: Handler, host: str, port: int, *, body_bytes: int = BODY_BYTES) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            await _converse(handler, reader, writer, body_bytes)
        writer.close()

    return await asyncio.start_server(connected, host, port, limit=HEAD_BYTES)


async def _converse(handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body_bytes: int) -> None:
    while True:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                request = await _read(reader, writer, body_bytes)
        except BadRequest as error:
            writer.write(_encode(Response.text(error.status, str(error)), is_last=True))
            await writer.drain()
            return
        if request is None:
            return
        response = await handler(request)
        if response.takes_over is not None:
            await response.takes_over(reader, writer)
            return
        is_last = request.headers.get("connection", "").lower() == "close"
        writer.write(_encode(response, is_last=is_last, is_head=request.method == "HEAD"))
        await writer.drain()
        if is_last:
            return


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body_bytes: int) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequest(400) from None
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(431) from None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target = _request_line(first)
    headers = dict(_header(line) for line in lines)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers, body_bytes)
    peer = writer.get_extra_info("peername")
    return Request(method, target, headers, body, peer[0] if peer else "unknown", head)


def _request_line(line: str) -> tuple[str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0") or not parts[1].startswith("/"):
        raise BadRequest(400)
    return parts[0], parts[1]


def _header(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator or name != name.strip():
        raise BadRequest(400)
    return name.lower(), value.strip()


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str], body_bytes: int) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader, body_bytes)
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400)
    if int(length) > body_bytes:
        raise BadRequest(413, "length limit exceeded")
    return await reader.readexactly(int(length))


async def _read_chunks(reader: asyncio.StreamReader, body_bytes: int) -> bytes:
    body = bytearray()
    while True:
        try:
            size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        except (ValueError, asyncio.LimitOverrunError):
            raise BadRequest(400) from None
        if size < 0 or len(body) + size > body_bytes:
            raise BadRequest(413, "length limit exceeded")
        body += (await reader.readexactly(size + 2))[:size]
        if size == 0:
            return bytes(body)


def _encode(response: Response, *, is_last: bool, is_head: bool = False) -> bytes:
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        **response.headers,
        **({"connection": "close"} if is_last else {}),
    }
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if is_head else response.body)
