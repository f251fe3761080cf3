"""Who is converged when: one call at a time for each tenant, as many tenants at once as there are places, woken at once or by the period.

A wake-up names a tenant and is only a hint; the period looks at all of them in three engine calls and works on those that are not as wanted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta

from zcplatform import clock
from zcplatform.adapters import files, host
from zcplatform.core import backoff
from zcplatform.core.plan import plan
from zcplatform.core.sweep import Labelled, orphans
from zcplatform.core.tenant import ENGINE_UNREACHABLE, Tenant, Wanted
from zcplatform.engines.docker.answers import ContainerSeen, NetworkSeen
from zcplatform.errors import PlatformError
from zcplatform.ids import TenantId
from zcplatform.log import logger
from zcplatform.store import allocations, operations, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.configuration import configuration_check
from zcplatform.worker.deps import Deps
from zcplatform.worker.loop import Loop
from zcplatform.worker.reconcile.observation import facts
from zcplatform.worker.reconcile.reconcile import reconcile

Reconcile = Callable[[Deps, TenantId], Awaitable[None]]


class Driver:
    def __init__(self, deps: Deps, period_s: float, act: Reconcile = reconcile) -> None:
        self.loop = Loop("reconcile", period_s, self._round)
        self._deps = deps
        self._act = act
        self._running: dict[TenantId, asyncio.Task[None]] = {}
        self._again: set[TenantId] = set()

    def wake(self, tenant_id: TenantId) -> None:
        """Reconcile this tenant now; when it is being converged, once more after that."""
        if tenant_id in self._running:
            self._again.add(tenant_id)
            return
        task = asyncio.create_task(self._work(tenant_id))
        self._running[tenant_id] = task

    async def _work(self, tenant_id: TenantId) -> None:
        try:
            await self._act(self._deps, tenant_id)
        except Exception:
            logger.exception("converging failed with an error that is a bug; the period tries again", tenant=tenant_id)
        finally:
            del self._running[tenant_id]
            if tenant_id in self._again:
                self._again.discard(tenant_id)
                self.wake(tenant_id)

    async def _round(self) -> None:
        """Look at everything, wake what differs from its desired state."""
        started = asyncio.get_running_loop().time()
        try:
            await self.look()
        finally:
            self._deps.metrics.rounds.inc()
            self._deps.metrics.round_seconds.set(asyncio.get_running_loop().time() - started)

    async def look(self) -> None:
        deps = self._deps
        try:
            containers = await deps.docker.containers(deps.settings.instance)
            networks = await deps.docker.networks(deps.settings.instance)
        except PlatformError as error:
            deps.metrics.engine_up.set(0)
            if error.code != ENGINE_UNREACHABLE:
                raise
            await self._engine_is_gone(deps.database.read(tenants.everything), error)
            return
        deps.metrics.engine_up.set(1)
        standing = host.bridges(deps.names.bridge_prefix)
        rows = deps.database.read(tenants.everything)  # after the listings: what was made since they were asked for has its row
        containers = [container for container in containers if container.name not in deps.active_checks]
        by_name = {container.name: container for container in containers}
        networks_by_name = {network.name: network for network in networks}
        mounted = files.config_mounts(deps.settings.config_dir)
        for row in rows:
            if row.id in self._running:
                continue
            container = by_name.get(deps.names.container(row.slug))
            network = networks_by_name.get(deps.names.network(row.slug))
            if self._needs_work(row, container, network, mounted):
                self.wake(row.id)
        if deps.database.read(tenants.were_never_any):
            return  # an empty table is more likely a lost database: nothing is removed on its word
        await self._sweep(
            rows, [Labelled(c.id, c.name, c.labels) for c in containers], [Labelled(n.id, n.name, n.labels) for n in networks]
        )
        await configuration_check.sweep(deps)
        held = deps.database.read(lambda tx: allocations.held(tx, "subnet"))
        for bridge in standing - {deps.names.bridge(subnet) for subnet in held}:
            logger.warning("removing a bridge that belongs to no tenant", bridge=bridge)
            await asyncio.to_thread(host.remove_bridge, bridge)

    def _needs_work(self, row: Tenant, container: ContainerSeen | None, network: NetworkSeen | None, mounted: set[str]) -> bool:
        """A cheap look; what it wakes looks again, closely. A row that can not be read is work too: converging tells it."""
        deps = self._deps
        try:
            snapshot = deps.snapshot(row.id)
            if snapshot is None:
                return False
            if snapshot.tenant.next_attempt_at is not None:
                return backoff.is_due(snapshot.tenant.next_attempt_at, clock.now())
            if (
                snapshot.operation is not None
                or snapshot.tenant.generation != snapshot.tenant.seen_generation
                or snapshot.tenant.error_code is not None
            ):
                return snapshot.tenant.effective_wanted != Wanted.DRAFT
            return bool(plan(row.effective_wanted, facts(deps, snapshot, container, network, mounted)))
        except Exception:
            return backoff.is_due(row.next_attempt_at, clock.now())

    async def _sweep(self, rows: list[Tenant], containers: list[Labelled], networks: list[Labelled]) -> None:
        """Remove what carries our labels and has no row. One that can not be removed does not keep the others."""
        docker, instance = self._deps.docker, self._deps.settings.instance
        for found in orphans(instance, containers, {row.id: self._deps.names.container(row.slug) for row in rows}):
            await self._removed("container", found, (docker.stop(found, 5), docker.remove(found)))
        for found in orphans(instance, networks, {row.id: self._deps.names.network(row.slug) for row in rows}):
            await self._removed("network", found, (docker.remove_network(found),))

    @staticmethod
    async def _removed(kind: str, found: str, acts: tuple[Coroutine[object, object, None], ...]) -> None:
        logger.warning("removing what belongs to no tenant", kind=kind, id=found)
        try:
            for act in acts:
                await act
        except PlatformError as error:
            logger.warning("what belongs to no tenant could not be removed", kind=kind, id=found, error=error.detail)
        finally:
            for act in acts:
                act.close()

    async def _engine_is_gone(self, rows: list[Tenant], error: PlatformError) -> None:
        """Tell it once on each tenant that needs the engine; nothing is concluded about the agents, which may well be serving."""
        now = clock.now()
        at, soon = clock.text(now), clock.text(now + timedelta(seconds=backoff.UNREACHABLE_S))

        def write(tx: Tx) -> None:
            for row in rows:
                if row.effective_wanted == Wanted.DRAFT or row.error_code == ENGINE_UNREACHABLE:
                    continue
                changes = {"error_code": error.code, "error_detail": error.detail, "error_hint": error.hint, "next_attempt_at": soon}
                tenants.record_seen(tx, row.id, row.generation, at, changes)
                operation = operations.open_of(tx, row.id)
                if operation is not None:
                    operations.wait(tx, operation.id, at, error.code, error.detail, error.hint, soon)

        await self._deps.database.write(write)
