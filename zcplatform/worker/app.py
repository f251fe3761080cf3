"""Composition root of the worker: `zcplatform serve` creates everything here once, checking each part before the next one relies on it.

First come folders, lock, key and database (startup.py), then the loops and what wakes them, then the sockets; the loops start last. On SIGTERM,
unfinished work is abandoned: the next start continues it.
"""

import asyncio
import faulthandler
import os
import pwd

from zcplatform import clock, log, memory
from zcplatform.adapters import host, rundirs
from zcplatform.adapters.caddy import Caddy, save_document, saved_document
from zcplatform.adapters.gateway import Gateway
from zcplatform.adapters.users import ensure_user
from zcplatform.agent import runtime
from zcplatform.core import firewall as firewall_rules
from zcplatform.core.audit import Entry
from zcplatform.engines.docker.local import LocalEngine
from zcplatform.engines.protocol import Engine
from zcplatform.errors import CannotRun, PlatformError
from zcplatform.ids import Names, TenantId
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import audit, signing_keys
from zcplatform.store.db import Database, ReadCache
from zcplatform.vault.keys import Keys
from zcplatform.worker import root_key, startup
from zcplatform.worker.agent_calls import AgentCalls
from zcplatform.worker.anchors import Anchors, deliver_change
from zcplatform.worker.deps import Deps
from zcplatform.worker.edge import EdgeLoop
from zcplatform.worker.engine_events import engine_events_loop
from zcplatform.worker.firewall import FirewallLoop
from zcplatform.worker.health import HealthLoop
from zcplatform.worker.heartbeat import heartbeat_loop, retention_loop, sealed_boxes_loop
from zcplatform.worker.images.images_loop import ImagesLoop
from zcplatform.worker.live import LiveServer, Verb
from zcplatform.worker.loop import Loop, Loops
from zcplatform.worker.mail import MailLoop, Sender
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.new_installation import is_new
from zcplatform.worker.provider_tests import ProviderTests
from zcplatform.worker.reconcile.driver import Driver
from zcplatform.worker.routes import Routes
from zcplatform.worker.secrets import Secrets
from zcplatform.worker.signals import stop_on_signals
from zcplatform.worker.upstreams import Upstreams, of_document
from zcplatform.worker.web_child import WebChild, listen

EDGE_LISTENER_S = 30.0
STOP_S = 8.0
LAST_WRITE_S = 1.0


def run(settings: Settings) -> int:
    """Run `zcplatform serve`. Raises CannotRun, with nothing changed, if it must not start."""
    if os.geteuid() != 0:
        raise CannotRun("serve.not_root", "`zcplatform serve` must be started as root", "sudo zcplatform serve")
    log.configure("worker", settings.log_level)
    os.umask(0o077)
    memory.one_arena()
    memory.never_dumped()
    faulthandler.enable(all_threads=False)  # a memory-mapped file that was truncated ends the process with SIGBUS: the log shows where
    web = ensure_user(settings.web_user)
    ensure_user(settings.edge_user)
    startup.make_data_dirs(settings, web)
    with startup.locked(settings):
        startup.check_sqlite()
        startup.check_host(settings)
        rundirs.prepare(settings)
        if is_new(settings):
            startup.make_database(settings, web)  # checked before a key is made: a key without a database means that the database was lost
        key = root_key.obtain(settings, make=True)
        database = startup.open_database(settings, key, web)
        return asyncio.run(_serve(settings, key.keys, database, web))


async def _serve(settings: Settings, keys: Keys, database: Database, web: pwd.struct_passwd) -> int:
    return await Worker(settings, keys, database, web).serve()


class Worker:
    """The parts of a running worker. Nothing runs before `serve`."""

    def __init__(self, settings: Settings, keys: Keys, database: Database, web: pwd.struct_passwd) -> None:
        self._settings = settings
        self._keys = keys
        self._database = database
        self._web = web
        self._firewall = make_firewall(settings)
        self._deps = deps = make_deps(settings, keys, database, LocalEngine(settings, self._firewall, runtime.PROGRAM))
        self._driver = Driver(deps, settings.reconcile_period_s)
        self._images = ImagesLoop(deps, settings.reconcile_period_s)
        self._mail = MailLoop(database, keys.seal_private, settings.panel_url, _mail_server(settings), deps.metrics)
        self._anchors = Anchors(settings, keys, database, deps.metrics)
        web_socket = listen(settings.web_socket, ensure_user(settings.edge_user).pw_gid)
        self._child = WebChild(settings, keys, self._signing_keys, web, web_socket)
        self._loops = Loops(
            self._child.loop,
            self._firewall.loop,
            deps.edge.loop,
            Loop("edge_listener", EDGE_LISTENER_S, deps.caddy.require_listener),
            self._driver.loop,
            self._images.loop,
            self._mail.loop,
            self._anchors.loop,
            HealthLoop(deps, settings.health_period_s, self._driver.wake).loop,
            engine_events_loop(deps.engine, self._driver.wake),
            heartbeat_loop(database, settings, self._child.hand_again),
            sealed_boxes_loop(database, deps.secrets),
            retention_loop(database, settings),
        )

    async def serve(self) -> int:
        """Run until a signal, then end the process."""
        stop = asyncio.Event()
        stop_on_signals(asyncio.get_running_loop(), stop.set, STOP_S + 2 * LAST_WRITE_S)
        await self._prepare()
        live = LiveServer(self._deps, self._wake, frozenset({0, self._web.pw_uid}), self._live_verbs(), self._loops)
        live_socket = await live.listen(self._settings.worker_socket, self._web.pw_gid)
        self._loops.start()
        memory.settle()
        logger.info("the platform runs", web=self._settings.web_socket, database=self._settings.database)
        await stop.wait()
        logger.info("stopping; the next start continues unfinished work")
        live_socket.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_S)
        await self._record_stop()
        os._exit(0)

    async def _prepare(self) -> None:
        """Do early, if possible, what must precede the first loop. The loops retry what fails here."""
        try:
            deliver_change(self._settings, self._keys, self._database)
        except PlatformError as error:
            logger.error("a change of key could not be anchored; the next start retries it", code=error.code, error=error.detail)
        try:
            await self._firewall.ensure()
        except PlatformError as error:
            logger.error("no agent is started until the firewall rules are in place", error=error.detail, hint=error.hint)

    def _wake(self, tenant_id: str) -> None:
        """Wake the reconciliation of a tenant; the empty text wakes the loops that serve no single tenant."""
        if tenant_id:
            self._driver.wake(TenantId(tenant_id))
        else:
            self._images.loop.wake()
            self._mail.loop.wake()
            self._child.hand_again()

    def _live_verbs(self) -> dict[str, Verb]:
        agents, tests = AgentCalls(self._deps, self._driver.wake), ProviderTests(self._deps, self._keys)
        return {
            "pairing_code": agents.pairing_code,
            "message": agents.message,
            "channels": agents.channels,
            "devices": agents.devices,
            "device_revoke": agents.revoke,
            "devices_reset": agents.reset,
            "provider_test": tests.run,
        }

    def _signing_keys(self) -> dict[int, bytes]:
        at = clock.text(clock.now())
        return {number: self._keys.signing_key(number) for number in self._database.read(lambda tx: signing_keys.live(tx, at))}

    async def _record_stop(self) -> None:
        """Write and anchor the last audit entry. A failure is logged and does not prevent the stop."""
        entry = Entry(clock.text(clock.now()), "system:worker", "worker.stop", "")
        try:
            async with asyncio.timeout(LAST_WRITE_S):
                await self._database.write(lambda tx: audit.append(tx, entry))
                await self._anchors.write("stop")
        except (PlatformError, TimeoutError) as error:
            logger.error("the stop could not be anchored", error=error)


def make_firewall(settings: Settings) -> FirewallLoop:
    prefix = Names(settings.instance).bridge_prefix
    edge_uid = ensure_user(settings.edge_user).pw_uid
    rules = firewall_rules.rules(prefix, settings.resolvers, settings.allowed_hosts, settings.subnet_network, (edge_uid,))
    return FirewallLoop(rules, settings.reconcile_period_s, lambda: bool(host.bridges(prefix)))


def make_deps(settings: Settings, keys: Keys, database: Database, engine: Engine) -> Deps:
    """Create the collaborators of the loops. Nothing is opened or called yet."""
    caddy = Caddy.of(settings)
    edge_gid = ensure_user(settings.edge_user).pw_gid
    upstreams = Upstreams(of_document(saved_document(settings.edge_document)))
    routes = Routes(settings, database, upstreams)
    edge = EdgeLoop(caddy, routes.document, lambda wanted: save_document(settings.edge_document, wanted, edge_gid))
    upstreams.on_change = edge.wake
    return Deps(
        settings=settings,
        names=Names(settings.instance),
        database=database,
        secrets=Secrets(keys),
        engine=engine,
        gateway=Gateway(),
        caddy=caddy,
        edge=edge,
        upstreams=upstreams,
        metrics=Metrics(),
        engine_slots=asyncio.Semaphore(settings.parallel),
        cache=ReadCache(database),
    )


def _mail_server(settings: Settings) -> Sender | None:
    """Create the mail client. The mail library is loaded only if mail is configured."""
    if settings.mail_host is None:
        return None
    from zcplatform.adapters.mail import MailServer

    return MailServer.of(settings)
