"""Caddies that misbehave: the admin API over a unix socket, as far as the edge loop uses it. Named by vice."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from aiohttp import web

Json = dict[str, Any]


class FakeCaddy:
    """Does what Caddy does. The others break one thing each."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.document: Json | None = None
        self.accepted: list[Json] = []
        self.reads = 0
        self._runner: web.AppRunner | None = None

    def etag(self) -> str:
        return f'"/config/ {hashlib.sha256(json.dumps(self.document).encode()).hexdigest()[:16]}"'

    async def get(self, _: web.Request) -> web.StreamResponse:
        self.reads += 1
        return web.json_response(self.document, headers={"Etag": self.etag()})

    async def post(self, request: web.Request) -> web.StreamResponse:
        if request.headers["If-Match"] != self.etag():
            return web.json_response({"error": "If-Match header did not match current config hash"}, status=412)
        self.document = await request.json()
        assert self.document is not None
        self.accepted.append(self.document)
        return web.Response()

    async def __aenter__(self) -> "FakeCaddy":
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/config/", self.get)
        app.router.add_post("/config/", self.post)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()


class AmnesiacCaddy(FakeCaddy):
    """Says yes and forgets."""

    async def post(self, request: web.Request) -> web.StreamResponse:
        answer = await super().post(request)
        self.document = None
        return answer


class HangingCaddy(FakeCaddy):
    """Takes a request and never answers, until `released`."""

    def __init__(self, socket: Path) -> None:
        super().__init__(socket)
        self.asked = asyncio.Event()
        self.released = asyncio.Event()

    async def post(self, request: web.Request) -> web.StreamResponse:
        self.asked.set()
        await self.released.wait()
        return await super().post(request)


class ConflictingCaddy(FakeCaddy):
    """Somebody else changes its document between each read and the write that follows, `times` times."""

    def __init__(self, socket: Path, times: int) -> None:
        super().__init__(socket)
        self.left = times

    async def post(self, request: web.Request) -> web.StreamResponse:
        if self.left > 0:
            self.left -= 1
            self.document = {"apps": {"foreign": self.left}}
        return await super().post(request)


class RejectingCaddy(FakeCaddy):
    """Refuses every document, at length."""

    async def post(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"error": "loading new config: " + "x" * 10_000}, status=500)


class BabblingCaddy(FakeCaddy):
    """Answers with something that is no document."""

    async def get(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>", headers={"Etag": '"x"'})


class RudeCaddy(FakeCaddy):
    """Hangs up `times` times, on reads and also after having done what a write asked for."""

    def __init__(self, socket: Path, times: int) -> None:
        super().__init__(socket)
        self.left = times

    async def _hang_up(self, request: web.Request) -> None:
        if self.left > 0:
            self.left -= 1
            assert request.transport is not None
            request.transport.abort()

    async def get(self, request: web.Request) -> web.StreamResponse:
        if self.left % 2 == 0:
            await self._hang_up(request)
        return await super().get(request)

    async def post(self, request: web.Request) -> web.StreamResponse:
        answer = await super().post(request)
        await self._hang_up(request)
        return answer


class DeafCaddy(FakeCaddy):
    """Hangs up on whoever reads."""

    async def get(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return await super().get(request)
