"""Composition root of the web process: unprivileged, child of the worker, given a socket to serve and a few keys over a pipe.

It ends when the pipe ends (the worker is gone), and within seconds of SIGTERM, even with open streams. It holds no key that decrypts a secret.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from zcplatform import log, memory
from zcplatform.core import keep_alive
from zcplatform.ops.context import Context
from zcplatform.settings import Settings
from zcplatform.web import (
    agents,
    audit,
    auth,
    catalog,
    channels,
    config,
    denials,
    document,
    drift,
    email_change,
    events,
    health,
    images,
    loops,
    me,
    members,
    openapi,
    operations,
    pages,
    plans,
    problems,
    provider_tests,
    revisions,
    sessions,
    tenants,
    tokens,
    users,
)
from zcplatform.web.events import Watcher
from zcplatform.web.metrics import Metrics
from zcplatform.web.rates import Rates
from zcplatform.web.request_limits import Guard
from zcplatform.web.session_references import References
from zcplatform.web.streams import Streams
from zcplatform.web.worker_client import Worker

GRACE_S = 3


@dataclass(frozen=True)
class Handed:
    """What the worker passes to the web process: settings without secrets, the public seal key, the keys of keyed hashes, and the keys that sign sessions."""

    settings: Settings
    seal_public: bytes
    token_pepper: bytes
    code_mac: bytes
    signing_keys: dict[int, bytes]

    @classmethod
    def read(cls, descriptor: int) -> "Handed":
        line = b""
        while not line.endswith(b"\n"):
            part = os.read(descriptor, 65536)
            if not part:
                raise SystemExit("the worker ended before it passed the keys")
            line += part
        handed = json.loads(line)
        settings = Settings.model_validate(handed["settings"])
        return cls(
            settings,
            b64decode(handed["seal_public"]),
            b64decode(handed["token_pepper"]),
            b64decode(handed["code_mac"]),
            signing_keys(handed),
        )


def signing_keys(handed: Mapping[str, Any]) -> dict[int, bytes]:
    return {int(number): b64decode(key) for number, key in handed["signing_keys"].items()}


def create_app(handed: Handed) -> FastAPI:
    return furnish(described(), handed)


def described() -> FastAPI:
    """Build the application with its routes and documentation, without the collaborators that requests need."""
    subjects = (
        tenants, agents, provider_tests, audit, config, channels, drift, revisions, catalog, members, tokens, me, users, plans, operations, events,
        images, loops, health, openapi, auth, sessions, email_change, pages,
    )  # fmt: skip
    app = FastAPI(
        routes=[route for subject in subjects for route in subject.router.routes],  # an included router keeps a copy of each, 3 MB of them
        title="zcplatform",
        version="1",
        summary="Tenants with one ZeroClaw agent each",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
        redirect_slashes=False,  # the address would be made from the Host header
    )
    problems.install(app)
    document.complete(app)
    app.add_middleware(Guard)
    return app


def furnish(app: FastAPI, handed: Handed) -> FastAPI:
    """Set the collaborators that requests need, replacing those set before."""
    app.state.metrics = Metrics()
    app.state.rates = Rates(handed.settings)
    app.state.streams = Streams(handed.settings)
    app.state.look_again_at = 0.0
    app.state.worker = Worker(handed.settings.worker_socket)
    app.state.references = References(handed.settings.instance, handed.signing_keys)
    app.state.context = Context.open(handed.settings, handed.seal_public, handed.code_mac, handed.token_pepper, app.state.worker.wake)
    app.state.watcher = Watcher(app.state.context)
    app.state.denials = denials.Denials(app.state.context)
    return app


class Server(uvicorn.Server):
    """A server that ends open streams when it shuts down. Otherwise one open event stream would delay SIGTERM for ever.

    A shutdown wakes its main loop, which therefore polls once a second instead of ten times.
    """

    def __init__(self, config: uvicorn.Config, watcher: Watcher) -> None:
        super().__init__(config)
        self._watcher = watcher
        self._woken = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), 1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        asyncio.get_running_loop().call_soon_threadsafe(self._end)  # a signal by itself does not wake the loop

    def _end(self) -> None:
        self._woken.set()
        self._stopping = asyncio.ensure_future(self._watcher.stop())


def server_config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",  # there are none here: by default the library is loaded wherever it is installed
        timeout_keep_alive=keep_alive.WEB_S,
        timeout_graceful_shutdown=GRACE_S,
        h11_max_incomplete_event_size=32 * 1024,
    )


async def _follow(descriptor: int, references: References) -> None:
    """Apply new signing keys from the worker. Return when the pipe ends, which means that the worker is gone."""
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    while line := await reader.readline():
        references.keys = signing_keys(json.loads(line))


async def _serve(app: FastAPI, listener: socket.socket, pipe: int) -> None:
    server = Server(server_config(app), app.state.watcher)
    orphaned = asyncio.create_task(_follow(pipe, app.state.references))
    orphaned.add_done_callback(lambda _: os.kill(os.getpid(), signal.SIGTERM))
    memory.settle()
    await server.serve(sockets=[listener])
    await app.state.denials.flush()


def main() -> None:
    """`python -m zcplatform.web.app LISTENER PIPE`: two descriptors inherited from the worker."""
    memory.one_arena()
    memory.never_dumped()
    listener, pipe = int(sys.argv[1]), int(sys.argv[2])
    handed = Handed.read(pipe)
    log.configure("web", handed.settings.log_level)
    asyncio.run(_serve(create_app(handed), socket.socket(fileno=listener), pipe))


if __name__ == "__main__":
    main()
