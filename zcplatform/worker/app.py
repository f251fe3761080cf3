"""Composition root of the worker: everything is made here once, in the order in which it may be trusted.

Lock, rights, key, database, firewall, sockets, loops, the web child. On SIGTERM waits are abandoned, not awaited: the next start converges.
"""

import asyncio
import fcntl
import os
import pwd
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from zcplatform import clock, log, memory
from zcplatform.adapters import host, rundirs
from zcplatform.adapters.caddy import Caddy, save_document
from zcplatform.adapters.gateway import Gateway
from zcplatform.adapters.users import ensure_user
from zcplatform.core import firewall as firewall_rules
from zcplatform.core.audit import Entry
from zcplatform.engines.docker.client import Docker
from zcplatform.errors import CannotRun, PlatformError
from zcplatform.ids import Names, TenantId, is_id
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import audit, secrets, signing_keys
from zcplatform.store.db import Database, ReadCache, Tx, connect
from zcplatform.store.migrate import migrate
from zcplatform.vault.keys import Keys
from zcplatform.worker import root_key
from zcplatform.worker.agent_calls import AgentCalls
from zcplatform.worker.anchors import Anchors, deliver_change
from zcplatform.worker.deps import Deps
from zcplatform.worker.edge import EdgeLoop
from zcplatform.worker.firewall import FirewallLoop
from zcplatform.worker.health import HealthLoop
from zcplatform.worker.images.images_loop import ImagesLoop
from zcplatform.worker.live import LiveServer
from zcplatform.worker.mail import MailLoop, Sender
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.provider_tests import ProviderTests
from zcplatform.worker.reconcile.driver import Driver
from zcplatform.worker.retention import forget
from zcplatform.worker.root_key import RootKey
from zcplatform.worker.routes import Routes
from zcplatform.worker.secrets import Secrets
from zcplatform.worker.web_child import WebChild, listen

HEARTBEAT_S = 10.0
STOP_S = 8.0
LAST_WORDS_S = 1.0
AGAIN_S = 2.0


def run(settings: Settings) -> int:
    """`zcplatform serve`. Raises CannotRun, with nothing touched, when it must not start like this."""
    if os.geteuid() != 0:
        raise CannotRun("serve.not_root", "zcplatform serve must be started by root", "sudo zcplatform serve")
    log.configure("worker", settings.log_level)
    os.umask(0o077)
    memory.one_arena()
    memory.never_dumped()
    web = ensure_user(settings.web_user)
    ensure_user(settings.edge_user)
    _data_dirs(settings, web)
    with locked(settings):
        _check_host(settings)
        rundirs.prepare(settings)
        obtained = root_key.obtain(settings, make=True)
        database = _open(settings, obtained, web)
        return asyncio.run(_main(settings, obtained.keys, database, web))


def _data_dirs(settings: Settings, web: pwd.struct_passwd) -> None:
    """Modes as in docs/architecture.md: without the sticky bit web could rename the live -wal."""
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        for path, mode, gid in (
            (settings.data_dir, 0o711, 0),
            (settings.tenants_dir, 0o711, 0),
            (settings.database.parent, 0o3770, web.pw_gid),
        ):
            path.mkdir(exist_ok=True)
            os.chown(path, 0, gid)
            path.chmod(mode)
    except OSError as error:
        raise CannotRun(
            "data.unwritable", f"{settings.data_dir} can not be written: {error.strerror}", "check `data_dir` and its disk"
        ) from None


@contextmanager
def locked(settings: Settings) -> Iterator[None]:
    """One process for one data directory, and one for one instance's name on this host. The kernel lets go when it is gone, however it went."""
    with _held(settings.data_dir / "serve.lock"), _held(Path("/run") / f"zcplatform-{settings.instance}.lock"):
        yield


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """For a change of the root key: no worker has this database open, and none begins."""
    if not settings.database.exists():
        raise CannotRun("database.missing", f"There is no database at {settings.database}", "start the platform once: zcplatform serve")
    with _held(settings.data_dir / "serve.lock"):
        yield


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotRun(
                "serve.running", f"another zcplatform holds {path}", "stop it first, or give this one its own data_dir and instance"
            ) from None
        yield


def _check_host(settings: Settings) -> None:
    culprit = host.overlapping_uids(settings.uid_span)
    if culprit is not None:
        raise CannotRun("settings.uids", f"the range `uids` {settings.uids} overlaps {culprit}", "set `uids` to a free range")
    blocker = host.interpreter_blocker(settings.web_user)
    if blocker is not None:
        raise CannotRun(
            "serve.interpreter",
            f"the user {settings.web_user} can not run this program: {blocker} keeps it out",
            "install zcplatform where every user may read, for example below /opt",
        )


def _open(settings: Settings, obtained: RootKey, web: pwd.struct_passwd) -> Database:
    fresh = not settings.database.exists()
    if fresh:
        os.close(os.open(settings.database, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        connection = connect(settings.database, query_only=False)
        version = migrate(connection, settings.database)
        connection.close()
    except apsw.Error as error:
        raise CannotRun("database.unusable", f"{settings.database} can not be used: {error}", "restore it from a backup") from None
    os.chown(settings.database, 0, web.pw_gid)
    settings.database.chmod(0o660)
    database = Database(settings.database)
    database.write_now(lambda tx: _first_write(tx, obtained, version))
    return database


def _first_write(tx: Tx, obtained: RootKey, version: int) -> None:
    at = clock.text(clock.now())
    root_key.put_key_record(tx, obtained.keys, obtained.stretch)
    signing_keys.first(tx, at)
    audit.append(tx, Entry(at, "system:worker", "worker.start", f"schema {version}"))


async def _main(settings: Settings, keys: Keys, database: Database, web: pwd.struct_passwd) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    deps = make_deps(settings, keys, database)
    driver, images = Driver(deps, settings.converge_period_s), ImagesLoop(deps, settings.converge_period_s)
    anchors = Anchors(settings, keys, database, deps.metrics)
    _deliver(settings, keys, database)
    mail = MailLoop(database, keys.seal_private, settings.panel_url, _mail_server(settings), deps.metrics)

    def wake(tenant_id: str) -> None:
        """The empty text wakes what is not about one tenant."""
        if tenant_id:
            driver.wake(TenantId(tenant_id))
        else:
            images.wake()
            mail.wake()
            child.hand_again()

    try:
        await deps.firewall.ensure()
    except PlatformError as error:
        logger.error("no agent is started until the firewall stands", error=error.detail, hint=error.hint)
    talking, tests = AgentCalls(deps, driver.wake), ProviderTests(deps, keys)
    more = {
        "pairing_code": talking.pairing_code,
        "message": talking.message,
        "channels": talking.channels,
        "devices": talking.devices,
        "device_revoke": talking.revoke,
        "devices_reset": talking.reset,
        "provider_test": tests.run,
    }
    live = LiveServer(deps, wake, frozenset({0, web.pw_uid}), more)
    live_socket = await live.listen(settings.worker_socket, web.pw_gid)
    child = WebChild(
        settings, keys, lambda: _signing_keys(database, keys), web, listen(settings.web_socket, ensure_user(settings.edge_user).pw_gid)
    )
    loops: list[Callable[[], Awaitable[None]]] = [
        child.run,
        deps.firewall.run,
        deps.edge.run,
        driver.run,
        images.run,
        mail.run,
        anchors.run,
        HealthLoop(deps, settings.health_period_s, driver.wake).run,
        lambda: _follow_engine(deps.docker, settings, driver),
        lambda: _housekeeping(deps, child),
    ]
    running = [asyncio.create_task(_forever(run)) for run in loops]
    memory.settle()
    logger.info("the platform runs", web=str(settings.web_socket), database=str(settings.database))
    await stop.wait()
    logger.info("stopping; what is under way is taken up by the next start")
    live_socket.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=STOP_S)
    del running
    await _last_words(database, anchors)
    os._exit(0)


def _deliver(settings: Settings, keys: Keys, database: Database) -> None:
    try:
        deliver_change(settings, keys, database)
    except PlatformError as error:
        logger.error("a change of key could not be anchored; the next start tries again", code=error.code, error=error.detail)


async def _last_words(database: Database, anchors: Anchors) -> None:
    """The stop is written down and anchored; what keeps that from happening keeps nothing from ending."""
    entry = Entry(clock.text(clock.now()), "system:worker", "worker.stop", "")
    try:
        async with asyncio.timeout(LAST_WORDS_S):
            await database.write(lambda tx: audit.append(tx, entry))
            await anchors.write("stop")
    except (PlatformError, TimeoutError) as error:
        logger.error("the stop could not be anchored", error=str(error))


def make_deps(settings: Settings, keys: Keys, database: Database) -> Deps:
    """Everything the loops act with; nothing is opened or asked yet."""
    names = Names(settings.instance)
    caddy = Caddy.of(settings)
    edge_gid = ensure_user(settings.edge_user).pw_gid
    rules = firewall_rules.rules(names.bridge_prefix, settings.resolvers, settings.allowed_hosts, settings.subnet_network)
    return Deps(
        settings=settings,
        names=names,
        database=database,
        secrets=Secrets(keys),
        docker=Docker(settings.docker_socket),
        gateway=Gateway(),
        caddy=caddy,
        edge=EdgeLoop(caddy, Routes(settings, database).document, lambda wanted: save_document(settings.edge_document, wanted, edge_gid)),
        firewall=FirewallLoop(rules, settings.converge_period_s),
        metrics=Metrics(),
        engine_slots=asyncio.Semaphore(settings.parallel),
        kept=ReadCache(database),
    )


def _signing_keys(database: Database, keys: Keys) -> dict[int, bytes]:
    at = clock.text(clock.now())
    return {number: keys.signing_key(number) for number in database.read(lambda tx: signing_keys.live(tx, at))}


def _mail_server(settings: Settings) -> Sender | None:
    """The library is loaded where mail is configured."""
    if settings.mail_host is None:
        return None
    from zcplatform.adapters.mail import MailServer

    return MailServer.of(settings)


async def _forever(run: Callable[[], Awaitable[None]]) -> None:
    """No error of one loop ends another, or the worker: it is told, and the loop begins again."""
    while True:
        try:
            await run()
        except Exception:
            logger.exception("a loop ended with an error and begins again")
        await asyncio.sleep(AGAIN_S)


async def _follow_engine(docker: Docker, settings: Settings, driver: Driver) -> None:
    """The engine's events are hints: a container that died or was given other limits is looked at now, not in a period."""
    while True:
        try:
            async for tenant_id, action in docker.events(settings.instance):
                if tenant_id and is_id(tenant_id) and action in ("die", "oom", "update", "destroy"):
                    driver.wake(TenantId(tenant_id))
        except PlatformError as error:
            logger.debug("the engine's events broke off", error=error.detail)
        await asyncio.sleep(2)


async def _housekeeping(deps: Deps, child: WebChild) -> None:
    """A sign of life every ten seconds; once an hour what is too old is forgotten."""
    forget_at = 0.0
    while True:
        now = clock.now()
        at = clock.text(now)
        if deps.database.read(secrets.any_boxed):
            await deps.database.write(lambda tx, at=at: deps.secrets.open_boxes(tx, at))  # type: ignore[misc]
        await deps.database.write(lambda _: None)  # a worker that can not write is not alive; without a change nothing is committed
        deps.settings.worker_heartbeat.touch(mode=0o600)
        child.hand_again()
        if time.monotonic() >= forget_at:
            forget_at = time.monotonic() + 3600
            await deps.database.write(lambda tx, now=now: forget(tx, deps.settings, now))  # type: ignore[misc]
        await asyncio.sleep(HEARTBEAT_S)
