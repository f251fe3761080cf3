"""Requests at the very moment at which an idle connection ends: none is lost, because the inner side keeps it longer than the outer (F6)."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.live.edge_rig import DEADLINE_S, Answer, Rig
from zcplatform.core import edge, keep_alive

pytestmark = pytest.mark.live

SCALE = 120
"""The limits of `core/keep_alive.py` are a minute and more; here a minute lasts half a second."""
AT_ONCE = 50
ROUNDS = 20
OUTER_S, INNER_S = keep_alive.EDGE_TO_WEB_S / SCALE, keep_alive.WEB_S / SCALE


class Closing:
    """Answers like web: closes a connection that was idle for `idle_s`."""

    def __init__(self, idle_s: float) -> None:
        self.connections = 0
        self.requests = 0
        self._idle_s = idle_s

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            while True:
                async with asyncio.timeout(self._idle_s):
                    await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                self.requests += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        writer.close()


def scaled(document: dict[str, Any]) -> dict[str, Any]:
    """The same document with the idle limit of connections to web in this test's time."""

    def walk(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: f"{OUTER_S:g}s" if key == "idle_timeout" and value == "60s" else walk(value) for key, value in part.items()}
        return [walk(each) for each in part] if isinstance(part, list) else part

    found = walk(document)
    assert isinstance(found, dict)
    return found


async def post(made: Rig, host: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
    try:
        writer.write(f"POST /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        return Answer(await asyncio.wait_for(reader.read(), DEADLINE_S)).status
    finally:
        writer.close()


async def lost(made: Rig, host: str, limits: tuple[float, ...]) -> int:
    """Posts, each about as long after the one before as a connection lives; how many were not answered with 200."""
    statuses = [await post(made, host)]

    async def one(number: int) -> None:
        for round_ in range(ROUNDS):
            statuses.append(await post(made, host))
            await asyncio.sleep(limits[round_ % len(limits)] + ((number * 7 + round_) % 41 - 20) * 0.001)

    await asyncio.gather(*(one(number) for number in range(AT_ONCE)))
    return sum(status != 200 for status in statuses)


async def _web(made: Rig, server: Closing) -> asyncio.Server:
    made.settings.web_socket.unlink(missing_ok=True)
    found = await asyncio.start_unix_server(server.talk, made.settings.web_socket, backlog=1024)

    os.chown(made.settings.web_socket, 0, made.edge_gid)
    Path(made.settings.web_socket).chmod(0o660)
    return found


async def test_no_post_to_web_is_lost_at_the_limits(made: Rig) -> None:
    web = Closing(INNER_S)
    server = await _web(made, web)
    await made.caddy.set(scaled(edge.document(made.site, [])), (await made.caddy.get())[1])
    assert await lost(made, made.settings.panel_host, (OUTER_S, INNER_S)) == 0
    assert web.requests == AT_ONCE * ROUNDS + 1
    server.close()


async def test_no_post_to_an_agent_is_lost_however_soon_it_closes(made: Rig) -> None:
    agent = Closing(0.5)
    made.route("alpha", await made.agent(agent.talk))
    await made.loop.apply()
    assert await lost(made, made.host("alpha"), (0.5,)) == 0
    assert agent.requests == agent.connections == AT_ONCE * ROUNDS + 1
