"""Everything this installation put on the host is taken away; what is wanted stays in the database, and the next start makes it true again."""

import asyncio
from dataclasses import dataclass

from zcplatform.adapters import files, firewall
from zcplatform.core import firewall as firewall_rules
from zcplatform.core.container import STOP_TIMEOUT_S
from zcplatform.engines.docker.client import Docker
from zcplatform.errors import PlatformError
from zcplatform.ids import Names
from zcplatform.log import logger
from zcplatform.settings import Settings
from zcplatform.store import tenants
from zcplatform.store.db import Database
from zcplatform.vault.keys import Keys
from zcplatform.worker.app import make_deps
from zcplatform.worker.configuration.configuration_check import PURPOSES
from zcplatform.worker.configuration.readback import read_back
from zcplatform.worker.reconcile.snapshot import load
from zcplatform.worker.startup import locked


@dataclass(frozen=True)
class Taken:
    containers: int
    networks: int
    mounts: int


async def take_down(settings: Settings, keys: Keys) -> Taken:
    """Raises CannotRun while a serve runs. An engine that is gone has nothing of ours running."""
    with locked(settings):
        if settings.database.exists():
            await _keep_paired_devices(settings, keys)
        containers, networks = await _engine(settings)
        mounts = files.config_mounts(settings.config_dir)
        for slug in mounts:
            files.config_unmount(settings.config_dir, slug)
        for root in (settings.check_dir / purpose for purpose in PURPOSES):
            for slug in files.config_mounts(root):
                files.config_unmount(root, slug)
        prefix = Names(settings.instance).bridge_prefix
        await firewall.remove(firewall_rules.rules(prefix, settings.resolvers, settings.allowed_hosts, settings.subnet_network))
        return Taken(containers, networks, len(mounts))


async def _keep_paired_devices(settings: Settings, keys: Keys) -> None:
    database = Database(settings.database)
    deps = make_deps(settings, keys, database)
    for row in database.read(tenants.everything):
        tenant_id = row.id
        try:
            snapshot = database.read(lambda tx: load(tx, settings, tenant_id))  # noqa: B023
            if snapshot is not None:
                await read_back(deps, snapshot)
        except PlatformError as error:
            logger.warning("paired devices could not be read back", tenant=row.id, error=error.detail)
    database.close()


async def _engine(settings: Settings) -> tuple[int, int]:
    async with Docker(settings.docker_socket) as docker:
        try:
            containers = await docker.containers(settings.instance)
            await asyncio.gather(*(docker.stop(found.id, STOP_TIMEOUT_S) for found in containers))
            for found in containers:
                await docker.remove(found.id)
            networks = await docker.networks(settings.instance)
            for network in networks:
                await docker.remove_network(network.id)
        except PlatformError as error:
            logger.warning("containers and networks stay as they are", error=error.detail)
            return 0, 0
        return len(containers), len(networks)
