"""The worker's socket: wake-ups and the few live things that are no rows. One JSON line asks, JSON lines answer.

The web process may be anybody by now, so nothing in a request is believed: a verb from a short list, a tenant id that must be one, scalars in
bounds. Only root and the web user get an answer; the kernel says who is asking.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from zcplatform import clock
from zcplatform.errors import BadInput, Conflict, NotFound, PlatformError, Unavailable
from zcplatform.ids import TenantId, is_id
from zcplatform.log import logger
from zcplatform.worker.case import Case, load
from zcplatform.worker.tools import Tools

LONGEST_REQUEST = 16 * 1024
MOST_AT_ONCE = 200
REQUEST_S = 5.0
PAIRING_LIVES = timedelta(minutes=10)
Answers = AsyncIterator[dict[str, Any]]


class LiveServer:
    def __init__(self, tools: Tools, wake: Callable[[str], None], uids: frozenset[int]) -> None:
        self._tools = tools
        self._wake = wake
        self._uids = uids
        self._open = 0
        self._verbs: dict[str, Callable[[dict[str, Any]], Answers]] = {
            "wake": self._woken,
            "logs": self._logs,
            "pairing_code": self._pairing_code,
            "health": self._health,
        }

    async def listen(self, path: Path, gid: int) -> asyncio.Server:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, str(path), limit=LONGEST_REQUEST)
        await asyncio.to_thread(_let_in, path, gid)
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if _peer_uid(writer) not in self._uids or self._open > MOST_AT_ONCE:
                return
            async with asyncio.timeout(REQUEST_S):
                line = await reader.readline()
            await self._answer(line, reader, writer)
        except (OSError, TimeoutError, ValueError, KeyError) as error:
            logger.debug("a live request broke off", error=str(error))
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send answers until they end or the asker goes away."""
        task = asyncio.create_task(self._send(line, writer))
        gone = asyncio.create_task(reader.read(1))
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        for other in (task, gone):
            other.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)

    async def _send(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = _parse(line)
            async for answer in self._verbs[request["verb"]](request):
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except PlatformError as error:
            told = {
                "code": error.code,
                "detail": error.detail,
                "hint": error.hint,
                "status": error.status,
                "retry_after_s": error.retry_after_s,
            }
            writer.write(json.dumps({"error": told}).encode() + b"\n")
            await writer.drain()

    async def _woken(self, request: dict[str, Any]) -> Answers:
        self._wake(request.get("tenant_id", ""))
        yield {"ok": True}

    async def _health(self, _: dict[str, Any]) -> Answers:
        self._tools.metrics.edge_sets.set(self._tools.edge.status.sets)
        yield {"metrics": self._tools.metrics.text()}

    async def _pairing_code(self, request: dict[str, Any]) -> Answers:
        """Ask the agent for a fresh code. It passes through and is kept nowhere."""
        tools, case = self._tools, self._case(request)
        bearer = tools.database.read(lambda tx: tools.secrets.get(tx, case.tenant.id, "agent", "bearer"))
        if bearer is None or not case.tenant.seen_healthy:
            raise Unavailable(
                "agent.not_ready", f"The agent of `{case.tenant.slug}` is {case.tenant.state}", "wait until it is running", retry_after_s=5
            )
        code = await tools.gateway.initiate_pairing(case.port, bearer[1])
        yield {"code": code, "expires_at": clock.text(clock.now() + PAIRING_LIVES)}

    async def _logs(self, request: dict[str, Any]) -> Answers:
        tools, case = self._tools, self._case(request)
        if await tools.docker.container(tools.names.container(case.tenant.slug)) is None:
            raise Unavailable(
                "agent.no_container", f"`{case.tenant.slug}` has no container yet: it is {case.tenant.state}", "wait for its deploy"
            )
        yield {"line": None}  # an error was raised by now: the web process can begin its answer
        tail, since = int(request.get("tail", 100)), request.get("since")
        async for line in tools.docker.logs(
            tools.names.container(case.tenant.slug),
            tail=max(0, min(tail, 10_000)),
            since=int(clock.parse(since).timestamp()) if since else 0,
            follow=bool(request.get("follow")),
            timestamps=bool(request.get("timestamps")),
        ):
            yield {"line": line.decode(errors="replace")}

    def _case(self, request: dict[str, Any]) -> Case:
        tenant_id = request.get("tenant_id")
        if not isinstance(tenant_id, str) or not is_id(tenant_id):
            raise BadInput("live.tenant", "tenant_id is not an id")
        case = self._tools.database.read(lambda tx: load(tx, self._tools.settings, TenantId(tenant_id)))
        if case is None:
            raise NotFound("tenant.unknown", "There is no such tenant")
        if case.tenant.wanted == "draft":
            raise Conflict("tenant.draft", f"Tenant `{case.tenant.slug}` was never deployed", "deploy it first")
        return case


def _parse(line: bytes) -> dict[str, Any]:
    request = json.loads(line)
    if not isinstance(request, dict) or request.get("verb") not in ("wake", "logs", "pairing_code", "health"):
        raise BadInput("live.request", "not a request of ours")
    if not all(isinstance(value, str | int | float | bool | None) for value in request.values()):
        raise BadInput("live.request", "arguments are scalars")
    return request


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


def _let_in(path: Path, gid: int) -> None:

    os.chown(path, 0, gid)
    path.chmod(0o660)
