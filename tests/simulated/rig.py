"""A worker's reconciliation on a simulated place, with a real database: requests, faults, kills and hours of time, without waiting for any.

The worker may be killed at any call; the next one knows only the database and what exists in the world, as after a real kill.
"""

import asyncio
import random
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.simulated.virtual_time import VirtualTime
from zcplatform import clock
from zcplatform.core.backoff import LONGEST_S
from zcplatform.core.tenant import Tenant
from zcplatform.core.workload import TenantRef
from zcplatform.engines.simulated.agent import SimulatedGateway
from zcplatform.engines.simulated.edge import SimulatedEdge
from zcplatform.engines.simulated.engine import SimulatedEngine
from zcplatform.engines.simulated.place import SimulatedPlace
from zcplatform.engines.simulated.world import AGENT_VERSION, Remains, World
from zcplatform.ids import ImageId, Names, new_image_id
from zcplatform.ops import tenants as requests
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Context
from zcplatform.settings import Settings
from zcplatform.store import images, operations, tenants
from zcplatform.store.db import Database, ReadCache
from zcplatform.store.images import Image
from zcplatform.vault.keys import Keys
from zcplatform.worker.deps import Deps
from zcplatform.worker.edge import EdgeLoop
from zcplatform.worker.health import HealthLoop
from zcplatform.worker.images.images_loop import ImagesLoop
from zcplatform.worker.loop import Loop, Loops
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.reconcile.driver import Driver
from zcplatform.worker.routes import Routes
from zcplatform.worker.secrets import Secrets
from zcplatform.worker.upstreams import Upstreams

ACTOR = Actor(id="tok_a", kind=ActorKind.TOKEN, name="tests", bearer=Bearer(), is_super_admin=True)
INSTANCE = "zc"
PERIOD_S = 10
LONGEST_WAIT_S = 3 * LONGEST_S


class Rig:
    def __init__(self, folder: Path, database: Database) -> None:
        self.settings = Settings(data_dir=folder / "data", run_dir=folder / "run", ports="20000-20999", start_timeout_s=20)
        self.database = database
        self.keys = Keys.of(secrets.token_bytes(32))
        self.time = VirtualTime()
        self.world = World(INSTANCE)
        self.place = SimulatedPlace(self.world)
        self.edge = SimulatedEdge(self.world)
        self.saved: Any = None
        self.context = Context(database, self.settings, self.keys.seal_public, self.keys.code_mac, self._wake)
        self.image = self._image("zc-demo-agent:latest")
        self.kills = 0
        for faults in (self.place.faults, self.edge.faults):
            faults.on_kill = self._killed
        self.start_worker()

    def close(self) -> None:
        self.time.close()

    # The worker

    def start_worker(self) -> None:
        """A new process: nothing of the one before is left but the database and the world."""
        self._end: asyncio.Future[None] | None = None
        upstreams = Upstreams()
        routes = Routes(self.settings, self.database, upstreams)
        edge = EdgeLoop(self.edge, routes.document, self._save, settle_s=0.05, period_s=5)
        self.deps = Deps(
            settings=self.settings,
            names=Names(INSTANCE),
            database=self.database,
            secrets=Secrets(self.keys),
            engine=SimulatedEngine(self.place),
            gateway=SimulatedGateway(self.world),
            caddy=self.edge,
            edge=edge,
            upstreams=upstreams,
            metrics=Metrics(),
            engine_slots=asyncio.Semaphore(4),
            cache=ReadCache(self.database),
        )
        self.driver = Driver(self.deps, PERIOD_S)
        upstreams.on_change = edge.wake
        health = HealthLoop(self.deps, 30, self.driver.wake)
        self.images = ImagesLoop(self.deps, PERIOD_S)
        firewall = Loop("firewall", PERIOD_S, self.place.firewall)
        self._loops = Loops(firewall, edge.loop, self.driver.loop, health.loop, self.images.loop)

    def run(self, seconds: float) -> None:
        """Let the worker run; one that is killed is started again a second later."""
        until = self.time.loop.time() + seconds
        while (left := until - self.time.loop.time()) > 0:
            if not self.time.run(self._run(left)):
                return
            self.kills += 1
            self.time.cancel_everything()
            self.start_worker()

    async def _run(self, seconds: float) -> bool:
        """Whether it was killed."""
        self._end = asyncio.get_running_loop().create_future()
        tasks = self._loops.start()
        try:
            await asyncio.wait_for(asyncio.shield(self._end), seconds)
        except TimeoutError:
            return False
        finally:
            for task in tasks:
                task.cancel()
        return True

    def settle(self, seconds: float = LONGEST_WAIT_S) -> None:
        """Without any fault, until nothing is left to do: no longer than the longest wait."""
        self.place.faults.clear()
        self.edge.faults.clear()
        until = self.time.loop.time() + seconds
        while self.time.loop.time() < until:
            self.run(2 * PERIOD_S + 1)
            if not any(self._has_work(row) for row in self.rows()):
                return

    def _has_work(self, row: Tenant) -> bool:
        is_open = self.database.read(lambda tx: operations.open_of(tx, row.id)) is not None
        return is_open or row.error_code is not None or (row.wanted != "draft" and row.seen_generation != row.generation)

    def _killed(self) -> None:
        if self._end is not None and not self._end.done():
            self._end.set_result(None)

    def _wake(self, tenant_id: str) -> None:
        """Nobody is woken by a request: the period has to find it."""

    def _save(self, document: dict[str, Any]) -> None:
        self.saved = document

    # Requests

    def request(self, act: Callable[[Call], Any]) -> Any:
        def write(tx: Any) -> Any:
            return act(Call(tx, self.context, ACTOR, clock.text(clock.now())))

        with clock.driven_by(self.time.now):
            return self.database.write_now(write)

    def create(self, slug: str) -> Tenant:
        made: Tenant = self.request(lambda call: requests.create(call, slug, requests.Changes()))
        return made

    def deploy(self, slug: str) -> None:
        self.request(lambda call: requests.deploy(call, slug))

    def start(self, slug: str) -> None:
        self.request(lambda call: requests.start(call, slug))

    def stop(self, slug: str) -> None:
        self.request(lambda call: requests.stop(call, slug))

    def restart(self, slug: str) -> None:
        self.request(lambda call: requests.restart(call, slug))

    def delete(self, slug: str) -> None:
        self.request(lambda call: requests.delete(call, slug))

    # Observing

    def row(self, slug: str) -> Tenant:
        return next(row for row in self.rows() if row.slug == slug)

    def rows(self) -> list[Tenant]:
        return self.database.read(tenants.everything)

    def remains(self, slug: str) -> Remains:
        row = self.row(slug)
        return self.world.tenants.get(TenantRef(row.id, row.slug), Remains())

    def _image(self, reference: str) -> ImageId:
        made = self.world.add_image(reference)
        at = clock.text(self.time.now())
        row = Image(new_image_id(), "demo", reference, "present", "preparing", None, None, None, None, 0, 0, None, at, at)

        def write(tx: Any) -> None:
            images.insert(tx, row)
            images.ready(tx, row.id, at, engine_id=made.id, digest=None, agent_version=AGENT_VERSION, size_bytes=made.size_bytes)

        self.database.write_now(write)
        return row.id


def seeded(number: int) -> random.Random:
    return random.Random(number)
