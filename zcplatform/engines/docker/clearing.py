"""Remove objects from a place: leftovers of one tenant, objects that belong to no tenant, or everything."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from zcplatform.adapters import files, firewall, host
from zcplatform.core import firewall as firewall_rules
from zcplatform.core.sweep import Labelled, orphans
from zcplatform.core.workload import STOP_TIMEOUT_S, TenantRef
from zcplatform.engines.docker.answers import ContainerSeen, DockerNetwork
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.docker.tasks import Tasks
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import Cleared, Known, Look
from zcplatform.errors import PlatformError
from zcplatform.ids import LABEL_TENANT, Names
from zcplatform.log import logger
from zcplatform.settings import Settings

STRAY_STOP_S = 5


@dataclass(frozen=True)
class Listing:
    """What the engine listed: a sweep asks for nothing again that the look of its round listed."""

    containers: list[ContainerSeen]
    networks: list[DockerNetwork]
    active: frozenset[str]
    """Names of the tasks that ran then."""


class Clearing:
    _settings: Settings
    _names: Names
    _docker: Docker
    _tasks: Tasks

    async def _list(self) -> Listing:
        """Tasks that run now, or when it is swept, are no leftovers."""
        active = frozenset(self._tasks.active)
        containers = await self._docker.containers(self._settings.instance)
        networks = await self._docker.networks(self._settings.instance)
        return Listing(containers, networks, active)

    async def remains(self, tenant: TenantRef) -> tuple[str, ...]:
        await self._tasks.clear_tenant(tenant.slug)
        instance = self._settings.instance
        left = [f"container {one.name}" for one in await self._docker.containers(instance) if one.labels.get(LABEL_TENANT) == tenant.id]
        left += [f"network {one.name}" for one in await self._docker.networks(instance) if one.labels.get(LABEL_TENANT) == tenant.id]
        if tenant.slug in files.config_mounts(self._settings.config_dir):
            left.append("its configuration")
        if files.workspace_exists(self._settings.tenants_dir, tenant.slug):
            left.append("its workspace")
        return tuple(left)

    async def sweep(self, known: Callable[[], Known], look: Look | None = None) -> tuple[str, ...]:
        standing = await asyncio.to_thread(host.bridges, self._names.bridge_prefix)
        listing = look.listing if look is not None and isinstance(look.listing, Listing) else await self._list()
        active, now = self._tasks.active | listing.active, known()
        owners = {tenant.id: self._names.container(tenant.slug) for tenant in now.tenants}
        bridges = standing - {self._names.bridge(subnet) for subnet in now.subnets}
        acts = [
            *(
                (f"container {one.name}", partial(self._remove_container, one.id))
                for one in orphans(self._settings.instance, [_labelled(c) for c in listing.containers if c.name not in active], owners)
            ),
            *(
                (f"network {one.name}", partial(self._docker.remove_network, one.id))
                for one in orphans(self._settings.instance, [_labelled(n) for n in listing.networks], owners)
            ),
            *((f"bridge {bridge}", partial(asyncio.to_thread, host.remove_bridge, bridge)) for bridge in sorted(bridges)),
        ]
        removed = [what for what, act in acts if await _removed(what, act)]
        await self._tasks.sweep_mounts()
        return tuple(removed)

    async def _remove_container(self, ref: str) -> None:
        await self._docker.stop(ref, STRAY_STOP_S)
        await self._docker.remove(ref)

    async def clear(self) -> Cleared:
        containers, networks = await self._clear_engine()
        mounts = files.config_mounts(self._settings.config_dir)
        for slug in mounts:
            await asyncio.to_thread(files.config_unmount, self._settings.config_dir, slug)
        await self._tasks.sweep_mounts(everything=True)
        settings = self._settings
        await firewall.remove(
            firewall_rules.rules(self._names.bridge_prefix, settings.resolvers, settings.allowed_hosts, settings.subnet_network)
        )
        return Cleared(containers, networks, len(mounts))

    async def _clear_engine(self) -> tuple[int, int]:
        """An engine that is gone has nothing of ours running that could be stopped."""
        try:
            containers = await self._docker.containers(self._settings.instance)
            await asyncio.gather(*(self._docker.stop(one.id, STOP_TIMEOUT_S) for one in containers))
            for one in containers:
                await self._docker.remove(one.id)
            networks = await self._docker.networks(self._settings.instance)
            for network in networks:
                await self._docker.remove_network(network.id)
        except (EngineUnreachable, PlatformError) as error:
            logger.warning("containers and networks stay as they are", error=error.detail)
            return 0, 0
        return len(containers), len(networks)


def _labelled(found: ContainerSeen | DockerNetwork) -> Labelled:
    return Labelled(found.id, found.name, found.labels)


async def _removed(what: str, act: Callable[[], Awaitable[None]]) -> bool:
    logger.warning("removing what belongs to no tenant", what=what)
    try:
        await act()
    except PlatformError as error:
        logger.warning("what belongs to no tenant could not be removed", what=what, error=error.detail)
        return False
    return True
