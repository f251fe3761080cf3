"""The worker's socket: wake-ups, and the few requests that are answered live instead of through the database. A request is one JSON line, an answer several.

The web process may have been taken over, so requests are not trusted: the verb is from a short list, the tenant id is checked, and arguments are scalars within
bounds. Only root and the web user get an answer; the kernel reports which user is connected.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Container, Mapping
from pathlib import Path
from typing import Any

from zcplatform import bounded_json, clock
from zcplatform.agent.fields import is_text
from zcplatform.core import live_messages
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import Silence
from zcplatform.errors import BadInput, PlatformError, Unavailable
from zcplatform.log import logger
from zcplatform.worker.deps import Deps
from zcplatform.worker.live_requests import load_tenant
from zcplatform.worker.loop import Loops, LoopStatus

LONGEST_REQUEST = 128 * 1024
MOST_AT_ONCE = 200
REQUEST_S = 5.0
Answers = AsyncGenerator[dict[str, Any]]
Verb = Callable[[dict[str, Any]], Answers]


class LiveServer:
    def __init__(self, deps: Deps, wake: Callable[[str], None], uids: frozenset[int], more: Mapping[str, Verb], loops: Loops) -> None:
        """Create the server. `more` are the verbs that call an agent or a provider."""
        self._deps = deps
        self._wake = wake
        self._uids = uids
        self._loops = loops
        self._open = 0
        self._verbs: dict[str, Verb] = {
            "wake": self._woken,
            "logs": self._logs,
            "health": self._health,
            "loops": self._statuses,
            **more,
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
            logger.debug("a live request ended with an error", error=error)
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send answers until they end or the client disconnects."""
        task = asyncio.create_task(self._send(line, writer))
        gone = asyncio.create_task(reader.read(1))
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        for other in (task, gone):
            other.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)

    async def _send(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = _parse(line, self._verbs)
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
        metrics = self._deps.metrics
        metrics.set_edge(self._deps.edge.status)
        metrics.set_loops(self._loops.statuses())
        yield {"metrics": metrics.text()}

    async def _statuses(self, _: dict[str, Any]) -> Answers:
        yield {"loops": [_loop_json(status) for status in self._loops.statuses()]}

    async def _logs(self, request: dict[str, Any]) -> Answers:
        deps, snapshot = self._deps, load_tenant(self._deps, request)
        place = deps.place(snapshot)
        seen = await place.look_at(snapshot.ref)
        if isinstance(seen, Silence):
            raise EngineUnreachable(seen.detail, seen.hint)
        if seen.workload is None:
            raise Unavailable(
                "agent.no_container", f"`{snapshot.tenant.slug}` has no container yet: it is {snapshot.tenant.state}", "wait for its deploy"
            )
        yield {"line": None}  # any error would have been raised by now: the web process can begin its response
        tail, since = int(request.get("tail", 100)), request.get("since")
        redact = deps.redactor(snapshot.tenant.id)
        async for line in place.logs(
            snapshot.ref,
            tail=max(0, min(tail, 10_000)),
            since=int(clock.parse(since).timestamp()) if since else 0,
            follow=bool(request.get("follow")),
            timestamps=bool(request.get("timestamps")),
        ):
            yield {"line": redact(line.decode(errors="replace"))}


def _loop_json(status: LoopStatus) -> dict[str, Any]:
    times = {name: clock.text(at) if at is not None else None for name, at in vars(status).items() if name.endswith("_at")}
    return {**vars(status), **times}


def _parse(line: bytes, verbs: Container[object]) -> dict[str, Any]:
    request = bounded_json.loads(line)
    if not isinstance(request, dict) or not all(isinstance(value, str | int | float | bool | None) for value in request.values()):
        raise BadInput("live.request", "arguments are scalars")
    if not all(is_text(value) for value in request.values() if isinstance(value, str)):
        raise BadInput("live.request", "an argument is not valid Unicode")
    try:
        message = live_messages.parse(request)
    except ValueError as error:
        raise BadInput("live.request", str(error)) from None
    if message.verb not in verbs:
        raise BadInput("live.request", "this worker does not know the verb")
    return live_messages.to_json(message)


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)


def _let_in(path: Path, gid: int) -> None:
    os.chown(path, os.geteuid(), gid)
    path.chmod(0o660)
