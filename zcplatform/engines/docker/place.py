"""The machine that the worker runs on, with its Docker engine: the local place."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from ipaddress import IPv4Network
from typing import Any, Protocol

from zcplatform.adapters import files, host, nat
from zcplatform.core import network as ranges
from zcplatform.core import subnet_pool
from zcplatform.core.workload import STOP_TIMEOUT_S, Program, Task, TenantRef, Workload, check
from zcplatform.engines.docker import bodies, observing
from zcplatform.engines.docker.answers import ContainerSeen, DockerNetwork
from zcplatform.engines.docker.bodies import HostSide
from zcplatform.engines.docker.clearing import Clearing
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.docker.facts import facts, readings
from zcplatform.engines.docker.images import DockerImages
from zcplatform.engines.docker.tasks import Tasks
from zcplatform.engines.host_files import HostFiles
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import (
    Address,
    Differences,
    Facts,
    FilesSeen,
    Look,
    Reading,
    Result,
    Silence,
    TenantSeen,
    Trouble,
    Upstream,
    WorkloadSeen,
)
from zcplatform.errors import StepFailed, Unavailable
from zcplatform.ids import LABEL_INSTANCE, LABEL_SPEC, LABEL_TENANT, LOCAL, Names, NodeId, TenantId
from zcplatform.log import logger
from zcplatform.settings import Settings

FACTS_LAST_S = 60.0
RULES_GONE = Trouble(
    "engine.rules_gone",
    "The engine's own firewall rules are gone: agents cannot be reached and have no access to the internet",
    "Restart the engine (systemctl restart docker). Agents keep running if live-restore is on",
)


class Firewall(Protocol):
    """Puts the firewall's rules in place; worker/firewall.py."""

    stands: bool
    engine_rules_gone: bool

    async def ensure(self) -> None: ...


class LocalPlace(HostFiles, DockerImages, Clearing):
    node_id: NodeId = LOCAL

    def __init__(self, settings: Settings, docker: Docker, firewall: Firewall, program: Program) -> None:
        HostFiles.__init__(self, settings)
        self._settings = settings
        self._names = Names(settings.instance)
        self._docker = docker
        self._firewall = firewall
        self._program = program
        self._tasks = Tasks(settings, self._names, docker)
        self._unsupported_limits: dict[tuple[TenantId, str], object] = {}
        """Limits that this engine does not keep (no swap is counted, say), and what it reports instead."""
        self._facts: tuple[float, Facts] | None = None

    @property
    def _pool(self) -> IPv4Network:
        return self._settings.subnet_network

    @property
    def firewall_stands(self) -> bool:
        return self._firewall.stands

    # Observing

    async def look(self) -> Look | Silence:
        try:
            listing = await self._list()
        except EngineUnreachable as error:
            return Silence(error.detail, error.hint)
        seen = observing.tenants(self._names, self._program, listing.containers, listing.networks)
        trouble = RULES_GONE if self._firewall.engine_rules_gone else None
        return Look(seen, await asyncio.to_thread(self._files), self._firewall.stands, trouble, listing)

    async def look_at(self, tenant: TenantRef) -> TenantSeen | Silence:
        try:
            container = await self._container(tenant)
            network = await self._network(tenant)
        except EngineUnreachable as error:
            return Silence(error.detail, error.hint)
        workload = observing.workload(self._names, self._program, tenant.slug, container) if container else None
        return TenantSeen(workload, observing.network(network) if network else None, self._files_of(tenant.slug))

    def _files(self) -> dict[str, FilesSeen]:
        mounted = files.config_mounts(self._settings.config_dir)
        slugs = mounted | files.workspaces(self._settings.tenants_dir)
        return {slug: self._files_of(slug, mounted) for slug in slugs}

    def _files_of(self, slug: str, mounted: Collection[str] | None = None) -> FilesSeen:
        root = self._settings.tenants_dir
        return FilesSeen(
            files.config_nonce(self._settings.config_dir, slug, mounted),
            files.workspace_exists(root, slug),
            files.workspace_owner(root, slug),
        )

    def compare(self, workload: Workload, seen: TenantSeen) -> Differences:
        check(workload)
        wanted_network = bodies.network_spec(self._names, workload.tenant, workload.subnet, self._pool)
        network_is_other = seen.network is None or seen.network.marks.get(LABEL_SPEC) != wanted_network
        if seen.workload is None:
            return Differences(network_is_other=network_is_other)
        is_current = bodies.is_current(self._names, workload, self._side(workload), seen.workload.marks)
        return Differences(not is_current, network_is_other, self._limits_drift(workload, seen.workload))

    def _limits_drift(self, workload: Workload, seen: WorkloadSeen) -> dict[str, tuple[object, object]]:
        if seen.limits is None:
            return {}
        wanted = bodies.wanted_limits(workload)
        drift = {name: (seen.limits[name], wanted[name]) for name in wanted if seen.limits[name] != wanted[name]}
        return {name: both for name, both in drift.items() if self._unsupported_limits.get((workload.tenant.id, name)) != both[0]}

    async def facts(self) -> Facts | Silence:
        now = time.monotonic()
        if self._facts is not None and now - self._facts[0] < FACTS_LAST_S:
            return self._facts[1]
        try:
            found = facts(await self._docker.ping(), self._settings)
        except EngineUnreachable as error:
            return Silence(error.detail, error.hint)
        self._facts = (now, found)
        return found

    async def readings(self) -> Mapping[TenantId, Reading] | Silence:
        try:
            return await readings(self._docker, self._names)
        except EngineUnreachable as error:
            return Silence(error.detail, error.hint)

    # Workloads

    async def check(self, workload: Workload) -> None:
        """Create a container of the same body under a throw-away name, and remove it."""
        body = self._body(workload)
        found = await self.facts()
        if isinstance(found, Facts):
            _require(found, workload)
        await self._tasks.try_body(workload.tenant.slug, body)

    async def put(self, workload: Workload) -> None:
        body, found = self._body(workload), await self._owned(workload.tenant)
        machine = await self.facts()
        if isinstance(machine, Facts):
            _require(machine, workload)
        if found is not None:
            if bodies.is_current(self._names, workload, self._side(workload), found.labels):
                return
            await self._docker.remove(found.id)
        await self._docker.create(self._names.container(workload.tenant.slug), body)

    async def start(self, tenant: TenantRef) -> None:
        if not self._firewall.stands:
            await self._firewall.ensure()
        found = await self._owned(tenant)
        if found is None:
            raise StepFailed("container.gone", f"The container of `{tenant.slug}` was removed while it was being started")
        await self._docker.start(found.id)

    async def stop(self, tenant: TenantRef) -> bool:
        found = await self._owned(tenant)
        if found is not None:
            await self._docker.stop(found.id, STOP_TIMEOUT_S)
        return found is not None

    async def remove(self, tenant: TenantRef) -> None:
        found = await self._owned(tenant)
        if found is not None:
            await self._docker.remove(found.id)

    async def set_limits(self, workload: Workload) -> Mapping[str, tuple[object, object]] | None:
        tenant, found = workload.tenant, await self._owned(workload.tenant)
        before = self._limits_drift(workload, observing.workload(self._names, self._program, tenant.slug, found)) if found else {}
        if found is None or not before:
            return {}
        try:
            await self._docker.update(found.id, bodies.update_body(bodies.wanted_limits(workload)))
        except StepFailed as error:
            if error.code != "engine.refused":
                raise
            logger.warning("a container's limits cannot be restored; it is replaced", tenant=tenant.id, error=error.detail)
            return None
        again = await self._owned(tenant)
        left = self._limits_drift(workload, observing.workload(self._names, self._program, tenant.slug, again)) if again else {}
        if left:
            logger.warning("this engine does not keep all limits of containers", limits=str(left))
            kept = {name: values[0] for name, values in left.items() if name in before and values[0] == before[name][0]}
            self._unsupported_limits.update({(tenant.id, name): value for name, value in kept.items()})
        return {name: both for name, both in before.items() if name not in left}

    async def run_once(self, task: Task) -> Result:
        return await self._tasks.run(task)

    def logs(
        self, tenant: TenantRef, *, tail: int = 200, since: int = 0, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[bytes, None]:
        name = self._names.container(tenant.slug)
        return self._docker.logs(name, tail=tail, since=since, follow=follow, timestamps=timestamps)

    # Network and firewall

    async def put_network(self, workload: Workload) -> None:
        body = bodies.network_body(self._names, workload.tenant, workload.subnet, self._pool)
        if await self._owned_network(workload.tenant) is not None:
            return
        await asyncio.to_thread(host.remove_bridge, self._names.bridge(workload.subnet))
        await self._docker.create_network(body)

    async def remove_network(self, tenant: TenantRef, subnet: int | None) -> None:
        found = await self._owned_network(tenant)
        if found is not None:
            await self._docker.remove_network(found.id)
        if subnet is not None:
            await asyncio.to_thread(host.remove_bridge, self._names.bridge(subnet))

    async def firewall(self) -> None:
        await self._firewall.ensure()

    async def free_port(self, port: int) -> bool:
        return host.port_free(port)

    async def taken_subnets(self) -> frozenset[int]:
        pool = self._pool
        routes = await asyncio.to_thread(host.routes)
        return frozenset(subnet_pool.taken(pool, subnet_pool.overlaps(pool, routes, self._names.bridge_prefix)))

    async def port_leads(self, workload: Workload) -> bool | None:
        found = await nat.published()
        if found is None or not found.has_chain:
            return None
        own = f"{ranges.address(workload.subnet, self._pool)}:{workload.program.port}"
        return found.leads.get(workload.port) == own

    async def agent(self, tenant: TenantRef) -> Address:
        found = await self._container(tenant)
        address = observing.workload(self._names, self._program, tenant.slug, found).address if found is not None else None
        if address is None:
            raise Unavailable(
                "agent.no_container", f"The agent of `{tenant.slug}` does not run", "Wait until it is running", retry_after_s=5
            )
        return address

    def dial(self, seen: WorkloadSeen) -> Upstream | None:
        return str(seen.address) if seen.address is not None else None

    def listener(self, seen: WorkloadSeen) -> str | None:
        return seen.direct.host if seen.direct is not None else None

    # Helpers

    def _side(self, workload: Workload) -> HostSide:
        slug = workload.tenant.slug
        config, workspace = self._settings.config_dir / slug / files.CONFIG_NAME, self._settings.tenants_dir / slug
        return HostSide(str(config), str(workspace), ranges.address(workload.subnet, self._pool))

    def _body(self, workload: Workload) -> dict[str, Any]:
        try:
            return bodies.create_body(self._names, workload, self._side(workload))
        except ValueError as error:
            raise StepFailed("tenant.invalid", f"Tenant `{workload.tenant.slug}` cannot have such a container: {error}") from None

    async def _container(self, tenant: TenantRef) -> ContainerSeen | None:
        """None for another owner's object of the same name, too."""
        found = await self._docker.container(self._names.container(tenant.slug))
        return found if found is not None and observing.owner(self._names, found.labels, found.name) == tenant else None

    async def _network(self, tenant: TenantRef) -> DockerNetwork | None:
        found = await self._docker.network(self._names.network(tenant.slug))
        return found if found is not None and observing.owner(self._names, found.labels, found.name) == tenant else None

    async def _owned(self, tenant: TenantRef) -> ContainerSeen | None:
        found = await self._docker.container(self._names.container(tenant.slug))
        if found is not None:
            self._check_owner(tenant, found.labels, f"container `{found.name}`", "container.foreign")
        return found

    async def _owned_network(self, tenant: TenantRef) -> DockerNetwork | None:
        found = await self._docker.network(self._names.network(tenant.slug))
        if found is not None:
            self._check_owner(tenant, found.labels, f"network `{found.name}`", "network.foreign")
        return found

    def _check_owner(self, tenant: TenantRef, labels: Mapping[str, str], what: str, code: str) -> None:
        if labels.get(LABEL_INSTANCE) != self._settings.instance or labels.get(LABEL_TENANT) != tenant.id:
            raise StepFailed(code, f"The {what} does not belong to `{tenant.slug}`", "Remove or rename it. The platform does not change it")


def _require(machine: Facts, workload: Workload) -> None:
    if machine.problems:
        raise StepFailed("engine.unsupported", f"No agent can run on this engine: {'; '.join(machine.problems)}", "zcplatform doctor")
    slug, cores = workload.tenant.slug, machine.cpus * 1_000
    if machine.cpus and workload.cpu_millis > cores:
        detail = f"The plan of `{slug}` gives {workload.cpu_millis / 1_000:g} processors; this machine has {machine.cpus}"
        raise StepFailed("host.too_small", detail, "zcplatform plans set … cpu_millis=…")
    if machine.memory_bytes and workload.memory_bytes > machine.memory_bytes:
        detail = (
            f"The plan of `{slug}` gives {workload.memory_bytes >> 20} MiB of memory; this machine has {machine.memory_bytes >> 20} MiB"
        )
        raise StepFailed("host.too_small", detail, "zcplatform plans set … memory_bytes=…")
