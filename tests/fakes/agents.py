"""Agents that misbehave on the wire, each with one vice. Every one listens on a free port of 127.0.0.1 and is an async context manager."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from zcplatform.engines.seen import Address

HEALTHY: dict[str, Any] = {
    "status": "ok",
    "paired": True,
    "require_pairing": True,
    "runtime": {
        "pid": 1,
        "components": {"gateway": {"status": "ok", "restart_count": 0}, "channel:irc.main": {"status": "error", "restart_count": 7}},
    },
}


def at(port: int) -> Address:
    return Address("127.0.0.1", port)


def answer(body: bytes, status: str = "200 OK", head: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{head}\r\n".encode() + body


class Agent:
    """Says its bytes to whoever connects, then closes. The requests are kept in `asked`."""

    def __init__(self, said: bytes) -> None:
        self.said = said
        self.asked: list[bytes] = []
        self.port = 0

    async def speak(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self.said)
        await writer.drain()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.asked.append(await reader.readuntil(b"\r\n\r\n"))
            await self.speak(writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections[asyncio.ensure_future(self._serve(reader, writer))] = writer

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self.port
        finally:
            server.close()
            for writer in connections.values():
                writer.transport.abort()
            await asyncio.gather(*connections)


class HonestAgent(Agent):
    def __init__(self, **changes: Any) -> None:
        super().__init__(answer(json.dumps({**HEALTHY, **changes}).encode()))


class SilentAgent(Agent):
    """Takes the request and never answers."""

    def __init__(self) -> None:
        super().__init__(b"")

    async def speak(self, writer: asyncio.StreamWriter) -> None:
        await writer.wait_closed()


class DrippingAgent(Agent):
    """Sends a byte at a time for ever, so that no single read is ever late."""

    def __init__(self) -> None:
        super().__init__(answer(b"x" * 10_000))

    async def speak(self, writer: asyncio.StreamWriter) -> None:
        for byte in self.said:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.01)


class EndlessAgent(Agent):
    """A body without an end."""

    def __init__(self) -> None:
        super().__init__(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        self.sent = 0

    async def speak(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self.said)
        while not writer.is_closing():
            writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
            await writer.drain()
            self.sent += 0x1000


class EndlessHeadersAgent(Agent):
    def __init__(self) -> None:
        super().__init__(b"HTTP/1.1 200 OK\r\n")

    async def speak(self, writer: asyncio.StreamWriter) -> None:
        writer.write(self.said)
        while not writer.is_closing():
            writer.write(b"x-more: of this\r\n" * 100)
            await writer.drain()


class HugeHeaderAgent(Agent):
    def __init__(self) -> None:
        super().__init__(answer(b"{}", head="x-huge: " + "x" * 1_000_000 + "\r\n"))


class RedirectingAgent(Agent):
    """Sends the platform somewhere else, with its bearer if it follows."""

    def __init__(self, target: str) -> None:
        super().__init__(answer(b"{}", "307 Temporary Redirect", f"location: {target}\r\n"))


class DeepAgent(Agent):
    """JSON that is nested until a parser's stack ends."""

    def __init__(self) -> None:
        super().__init__(answer(b"[" * 30_000 + b"]" * 30_000))


class CookieAgent(Agent):
    def __init__(self) -> None:
        super().__init__(answer(json.dumps(HEALTHY).encode(), head="set-cookie: a=b; Path=/\r\n"))


class GibberishAgent(Agent):
    def __init__(self) -> None:
        super().__init__(b"\x16\x03\x01 this is not HTTP\r\n\r\n")


class HangingUpAgent(Agent):
    """Closes in the middle of its answer."""

    def __init__(self) -> None:
        super().__init__(answer(b'{"status":"ok"}')[:-5])


class CompressedAgent(Agent):
    """Claims a compression nobody asked for: a small body could become a huge one."""

    def __init__(self) -> None:
        super().__init__(answer(b"\x1f\x8b\x08\x00" + b"\x00" * 20, head="content-encoding: gzip\r\n"))


class OddAgent(Agent):
    """Valid JSON of another form."""

    def __init__(self, body: object) -> None:
        super().__init__(answer(json.dumps(body).encode()))


class RoutedAgent(Agent):
    """Answers by method and path; what is not named is 404. `bodies` are what it was sent."""

    def __init__(self, routes: dict[str, bytes]) -> None:
        super().__init__(b"")
        self._routes = routes
        self.bodies: list[bytes] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head)
            length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            self.bodies.append(await reader.readexactly(int(length[0].split(b":")[1])) if length else b"")
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            writer.write(self._routes.get(f"{method} {path}", answer(b'{"error":"not found"}', "404 Not Found")))
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
