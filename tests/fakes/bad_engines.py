"""Docker engines that misbehave, named by their vice."""

import asyncio
from typing import Any

from aiohttp import web

from tests.fakes.engines import HonestDocker


class SlowDocker(HonestDocker):
    """Does the work and answers only when `hurry` is set. Without paths: everything."""

    def __init__(self, *paths: str) -> None:
        super().__init__()
        self.hurry = asyncio.Event()
        self._paths = paths or ("",)

    async def behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        response: web.StreamResponse = await answer(request)
        if any(path in request.path for path in self._paths):
            await self.hurry.wait()
        return response


class UnendingLogsDocker(HonestDocker):
    """Keeps the stream of a followed log open after its container ended."""

    async def behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        if not request.path.endswith("/logs"):
            return await super().behave(request, answer)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"\x01\0\0\0\0\0\0\x06hello\n")
        await asyncio.Event().wait()
        return response


class LyingDocker(HonestDocker):
    """Answers every request for the path with these bytes instead of the truth."""

    def __init__(self, path: str, body: bytes, status: int = 200, content_type: str = "application/json") -> None:
        super().__init__()
        self._path = path
        self._lie = (body, status, content_type)

    async def behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        if self._path not in request.path:
            response: web.StreamResponse = await answer(request)
            return response
        body, status, content_type = self._lie
        return web.Response(body=body, status=status, content_type=content_type)


class ForgetfulDocker(HonestDocker):
    """Says that it made something, and has forgotten it at once."""

    async def behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        response: web.StreamResponse = await answer(request)
        if request.method == "POST" and request.path.endswith("/create"):
            self.containers.clear()
            self.networks.clear()
            self.images.clear()
        return response


class DyingDocker(HonestDocker):
    """Does the work, and cuts the connection in the middle of the answer."""

    def __init__(self, path: str = "", sent: bytes = b"") -> None:
        super().__init__()
        self._path = path
        self._sent = sent

    async def behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        honest: web.StreamResponse = await answer(request)
        if self._path not in request.path:
            return honest
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "100000"})
        await response.prepare(request)
        await response.write(self._sent)
        assert request.transport is not None
        request.transport.abort()
        return response
