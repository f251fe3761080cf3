"""Composition root of `zcplatform serve --simulated`: the whole API over tenants in memory, for work on the panel or a client.

It needs no root, Docker or edge. Data is temporary, HTTP listens on a loopback port, and mail is printed to standard output. Every response
carries the header `Zcplatform-Simulated`.
"""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zcplatform import clock, log
from zcplatform.core.audit import Entry
from zcplatform.core.images import demo_reference
from zcplatform.core.mails import LIMIT_S, Mail
from zcplatform.engines.simulated.agent import SimulatedGateway
from zcplatform.engines.simulated.edge import SimulatedEdge
from zcplatform.engines.simulated.engine import SimulatedEngine
from zcplatform.engines.simulated.place import SimulatedPlace
from zcplatform.engines.simulated.world import AGENT_VERSION, World
from zcplatform.errors import CannotRun
from zcplatform.ids import Names, TenantId, new_image_id, new_token_id
from zcplatform.ops import users
from zcplatform.settings import Settings
from zcplatform.store import audit, images, signing_keys, tokens
from zcplatform.store.db import Database, ReadCache, Tx, connect
from zcplatform.store.images import Image
from zcplatform.store.migrate import migrate
from zcplatform.vault.keys import Keys
from zcplatform.vault.sealing import token_hash
from zcplatform.web.app import Handed, Server, create_app, server_config
from zcplatform.worker.agent_calls import AgentCalls
from zcplatform.worker.deps import Deps
from zcplatform.worker.edge import EdgeLoop
from zcplatform.worker.health import HealthLoop
from zcplatform.worker.heartbeat import heartbeat_loop, retention_loop, sealed_boxes_loop
from zcplatform.worker.images.images_loop import ImagesLoop
from zcplatform.worker.live import LiveServer
from zcplatform.worker.loop import Loop, Loops
from zcplatform.worker.mail import MailLoop
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.provider_tests import ProviderTests
from zcplatform.worker.reconcile.driver import Driver
from zcplatform.worker.routes import Routes
from zcplatform.worker.secrets import Secrets
from zcplatform.worker.upstreams import Upstreams

HEADER = "Zcplatform-Simulated"
OPERATOR = "admin@example.com"
PERIOD_S = 2.0


def run(real: Settings | None, port: int = 0) -> int:
    """Serve until a signal arrives. `real` are the settings given with --settings. Raises CannotRun if their data directory exists."""
    if real is not None and real.data_dir.exists():
        raise CannotRun(
            "simulated.real_data",
            f"Cannot simulate on {real.data_dir}: it holds the data of an installation",
            "Leave out --settings. A simulation creates its own temporary data.",
        )
    log.configure("simulated", "WARNING")
    # The web server raises the signal again when it has ended; without a handler the temporary data would stay.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    folder = Path(tempfile.mkdtemp(prefix="zcplatform-simulated-"))
    try:
        with socket.create_server(("127.0.0.1", port)) as listener:
            asyncio.run(Simulation(folder, listener).serve())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


class Simulated:
    """ASGI middleware that marks every response as simulated."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"])[HEADER] = "true"
            await send(message)

        await self._app(scope, receive, marked)


class PrintedMail:
    """Prints mail instead of sending it."""

    async def send(self, recipient: str, mail: Mail, limit_s: float = LIMIT_S) -> None:
        del limit_s
        _print(f"--- mail to {recipient}: {mail.subject}\n{mail.text}\n---")


class Simulation:
    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self._listener = listener
        self.port = int(listener.getsockname()[1])
        self._settings = settings = Settings(
            data_dir=folder / "data", run_dir=folder / "run", key_file=folder / "root.key", http_port=self.port, instance="simulated"
        )
        for needed in (settings.database.parent, settings.worker_heartbeat.parent, settings.worker_socket.parent):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = connect(settings.database, query_only=False)
        migrate(connection, settings.database)
        connection.close()
        self._keys = Keys.of(secrets.token_bytes(32))
        self._database = Database(settings.database)
        self._world = World(settings.instance)
        self._token = self._database.write_now(self._first_rows)
        self._make_worker()

    def _first_rows(self, tx: Tx) -> str:
        """Insert an operator with a token and an image that is ready. Returns the token."""
        now = clock.now()
        at, made = clock.text(now), self._world.demo_image()
        signing_keys.first(tx, at)
        users.bootstrap(tx, at, OPERATOR)
        value = "zcp_" + secrets.token_urlsafe(32)
        hashed = token_hash(self._keys.token_pepper, value)
        tokens.insert(tx, tokens.Token(new_token_id(), "simulated", hashed, value[:8], at, clock.text(now + timedelta(days=1))))
        audit.append(tx, Entry(at, "host:simulated", "token.create", "simulated"))
        reference = demo_reference(self._settings.instance)
        image = Image(new_image_id(), "demo", reference, "present", "preparing", None, None, None, None, 0, 0, None, at, at)
        images.insert(tx, image)
        images.ready(tx, image.id, at, engine_id=made.id, digest=None, agent_version=AGENT_VERSION, size_bytes=made.size_bytes)
        return value

    def _make_worker(self) -> None:
        settings, database, keys = self._settings, self._database, self._keys
        place, upstreams, edge = SimulatedPlace(self._world), Upstreams(), SimulatedEdge(self._world)
        routes = Routes(settings, database, upstreams)
        self._deps = deps = Deps(
            settings=settings,
            names=Names(settings.instance),
            database=database,
            secrets=Secrets(keys),
            engine=SimulatedEngine(place),
            gateway=SimulatedGateway(self._world),
            caddy=edge,
            edge=EdgeLoop(edge, routes.document, lambda _: None),
            upstreams=upstreams,
            metrics=Metrics(),
            engine_slots=asyncio.Semaphore(settings.parallel),
            cache=ReadCache(database),
        )
        upstreams.on_change = deps.edge.wake
        self._driver = Driver(deps, PERIOD_S)
        self._images = ImagesLoop(deps, PERIOD_S)
        self._mail = MailLoop(database, keys.seal_private, settings.panel_url, PrintedMail(), deps.metrics)
        self._loops = Loops(
            Loop("firewall", PERIOD_S, place.firewall),
            deps.edge.loop,
            self._driver.loop,
            self._images.loop,
            self._mail.loop,
            HealthLoop(deps, settings.health_period_s, self._driver.wake).loop,
            heartbeat_loop(database, settings, lambda: None),
            sealed_boxes_loop(database, deps.secrets),
            retention_loop(database, settings),
        )

    def _wake(self, tenant_id: str) -> None:
        if tenant_id:
            self._driver.wake(TenantId(tenant_id))
        else:
            self._images.loop.wake()
            self._mail.loop.wake()

    async def serve(self) -> None:
        agents, tests = AgentCalls(self._deps, self._driver.wake), ProviderTests(self._deps, self._keys)
        verbs: dict[str, Any] = {
            "pairing_code": agents.pairing_code,
            "message": agents.message,
            "channels": agents.channels,
            "devices": agents.devices,
            "device_revoke": agents.revoke,
            "devices_reset": agents.reset,
            "provider_test": tests.run,
        }
        live = LiveServer(self._deps, self._wake, frozenset({os.getuid()}), verbs, self._loops)
        live_socket = await live.listen(self._settings.worker_socket, os.getgid())
        running = self._loops.start()
        number = max(self._database.read(lambda tx: signing_keys.live(tx, clock.text(clock.now()))))
        keys = self._keys
        app = create_app(Handed(self._settings, keys.seal_public, keys.token_pepper, keys.code_mac, {number: keys.signing_key(number)}))
        server = Server(server_config(Simulated(app)), app.state.watcher)
        _print(
            "SIMULATED: no tenant or agent is real, and all data is deleted when this process ends.",
            f"  http://127.0.0.1:{self.port}",
            f"  token {self._token}",
            f"  ZCPLATFORM_API=http://127.0.0.1:{self.port} ZCPLATFORM_TOKEN={self._token} zcplatform tenants list",
            f"  Sign in as {OPERATOR}; sign-in codes are printed here.",
        )
        try:
            await server.serve(sockets=[self._listener])
        finally:
            live_socket.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._database.close()


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
