"""Model providers, honest and not, each with one vice, on a free port of a loopback address; and resolvers with false answers."""

import asyncio
import contextlib
import gzip
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

GOOD = "sk-canary-good"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        told = self.headers
        return told.get("authorization", "").removeprefix("Bearer ") or told.get("x-api-key", "") or told.get("x-goog-api-key", "")


def said(status: int, body: bytes, head: str = "", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body


def as_json(status: int, value: object) -> bytes:
    return said(status, json.dumps(value).encode())


class HonestProvider:
    """As an OpenAI-compatible service answers: a list for the good key, 401 for others, a completion for its model."""

    models: tuple[str, ...] = ("echo", "other")

    def __init__(self, address: str = "127.0.0.5") -> None:
        self.address = address
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}/v1"

    @property
    def place(self) -> str:
        return f"{self.address}:{self.port}"

    def answer(self, asked: Asked) -> bytes:
        if asked.key != GOOD:
            return as_json(401, {"error": {"message": f"Incorrect API key provided: {asked.key}"}})
        if asked.path.endswith("/models"):
            return self.listing()
        return self.completion(asked)

    def listing(self) -> bytes:
        return as_json(200, {"object": "list", "data": [{"id": name} for name in self.models]})

    def completion(self, asked: Asked) -> bytes:
        if json.loads(asked.body)["model"] not in self.models:
            return as_json(404, {"error": {"message": "no such model"}})
        return as_json(200, {"choices": [{"message": {"role": "assistant", "content": "H"}}]})

    async def speak(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(self.answer(asked))
        await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split(" ")
            asked = Asked(method, path, headers, body)
            self.asked.append(asked)
            await self.speak(asked, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["HonestProvider"]:
        connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections[asyncio.ensure_future(self._serve(reader, writer))] = writer

        server = await asyncio.start_server(connected, self.address, 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in connections.values():
                writer.transport.abort()
            await asyncio.gather(*connections)


class PublicListProvider(HonestProvider):
    """Shows its models to everybody, so that a good list says nothing about a key."""

    def answer(self, asked: Asked) -> bytes:
        return self.listing() if asked.path.endswith("/models") else super().answer(asked)


class NoListProvider(HonestProvider):
    def listing(self) -> bytes:
        return as_json(404, {"error": "not found"})


class StatusProvider(HonestProvider):
    """Always the same status, with words that must not come through."""

    def __init__(self, status: int, address: str = "127.0.0.5") -> None:
        super().__init__(address)
        self._status = status

    def answer(self, asked: Asked) -> bytes:
        return as_json(self._status, {"error": "canary-of-the-body", "key": asked.key})


class GarbageProvider(HonestProvider):
    """A page for people, whatever the request."""

    def answer(self, asked: Asked) -> bytes:
        return said(200, b"<html>canary-of-the-body</html>", kind="text/html")


class DeepProvider(HonestProvider):
    def answer(self, asked: Asked) -> bytes:
        return said(200, b"[" * 30_000 + b"]" * 30_000)


class BombProvider(HonestProvider):
    """A small body that would be a large one. Packed beforehand: it takes longer than some tests wait for an answer."""

    _packed = gzip.compress(bytes(50_000_000), 1)

    def answer(self, asked: Asked) -> bytes:
        return said(200, self._packed, "content-encoding: gzip\r\n")


class RedirectingProvider(HonestProvider):
    """Sends the platform to `target`, with the key if it follows."""

    def __init__(self, target: str, status: int = 307, address: str = "127.0.0.5") -> None:
        super().__init__(address)
        self._target, self._status = target, status

    def answer(self, asked: Asked) -> bytes:
        return said(self._status, b"", f"location: {self._target}\r\n")


class EndlessProvider(HonestProvider):
    """A body without an end; `sent` counts it."""

    sent = 0

    async def speak(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
            await writer.drain()
            self.sent += 0x1000


class SlowProvider(HonestProvider):
    """Takes the request and never answers."""

    async def speak(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        await writer.wait_closed()


class DrippingProvider(HonestProvider):
    async def speak(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        for byte in as_json(200, {"data": [" " * 10_000]}):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)


class ResettingProvider(HonestProvider):
    async def speak(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()


class GibberishProvider(HonestProvider):
    async def speak(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x01 no HTTP\r\n\r\n")
        await writer.drain()


@dataclass
class RebindingResolver:
    """Each look at a name finds the next answer: the first passes every check, the second leads inside."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


async def forgetful(host: str) -> list[str]:
    """Knows no name."""
    raise OSError(-2, f"{host}: Name or service not known")
