"""A client for live requests to the worker over its socket: one JSON line per request and per answer.

The requests are the classes of `core.live_messages`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from zcplatform.core.live_messages import LiveMessage, Wake, to_json
from zcplatform.errors import BadInput, Conflict, NotFound, PlatformError, Unavailable

CONNECT_S = 2.0
LONGEST_LINE = 256 * 1024
KINDS: dict[int, type[PlatformError]] = {404: NotFound, 409: Conflict, 422: BadInput}


class Worker:
    """The worker as the web process sees it."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self, tenant_id: str) -> None:
        """Send a hint in the background. If it is lost, the worker's next period does the work."""
        task = asyncio.ensure_future(self._wake(tenant_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _wake(self, tenant_id: str) -> None:
        with suppress(Unavailable):
            await self.ask(Wake(tenant_id), 2.0)

    async def ask(self, message: LiveMessage, timeout_s: float) -> dict[str, Any]:
        """Send a request and return its answer. Raises Unavailable (503) if the worker, the engine or the agent cannot answer now."""
        try:
            async with asyncio.timeout(timeout_s), aclosing(self.follow(message)) as answers:
                async for answer in answers:
                    return answer
        except TimeoutError:
            raise _silent("did not answer in time") from None
        raise _silent("closed the connection without an answer")

    async def follow(self, message: LiveMessage) -> AsyncGenerator[dict[str, Any]]:
        """Yield answers until the worker or the caller ends the stream."""
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=LONGEST_LINE)
        except (OSError, TimeoutError):
            raise _silent("is not there") from None
        try:
            writer.write(json.dumps(to_json(message)).encode() + b"\n")
            while line := await reader.readline():
                answer = json.loads(line)
                if "error" in answer:
                    raise _error(answer["error"])
                yield answer
        except (OSError, ValueError):
            raise _silent("broke off") from None
        finally:
            writer.close()


def _silent(how: str) -> Unavailable:
    return Unavailable("worker.unreachable", f"The worker {how}", "try again; if it persists, read the worker's log", retry_after_s=5)


def _error(answer: dict[str, Any]) -> PlatformError:
    kind = KINDS.get(int(answer.get("status", 503)), Unavailable)
    return kind(str(answer.get("code")), str(answer.get("detail")), str(answer.get("hint", "")), retry_after_s=answer.get("retry_after_s"))
