"""A tenant made by hand from the pure bodies and the adapters, without database or worker: what the engine really does with them."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import aiodocker

from tests.live.edge_rig import free_port
from tests.live.waiting import wait_until
from zcplatform.adapters import files
from zcplatform.adapters.files import CONFIG_NAME
from zcplatform.agent.runtime import PROGRAM
from zcplatform.core.network import subnet
from zcplatform.core.workload import TenantRef, Workload
from zcplatform.engines.docker.bodies import HostSide, create_body, network_body
from zcplatform.engines.docker.client import Docker
from zcplatform.ids import LOCAL, Names, TenantId, new_tenant_id

NAMES = Names("zct")
POOL = IPv4Network("10.86.0.0/16")
RESOLVERS = ("192.0.2.53",)
UID = 700_123


@dataclass(frozen=True)
class Handmade:
    tenant_id: TenantId
    slug: str
    spec: Workload
    side: HostSide
    container_id: str
    network_id: str
    index: int

    @property
    def name(self) -> str:
        return NAMES.container(self.slug)

    @property
    def gateway(self) -> str:
        return str(subnet(self.index, POOL)[1])

    @property
    def address(self) -> str:
        return str(subnet(self.index, POOL)[2])


def side_of(root: Path, slug: str, index: int) -> HostSide:
    return HostSide(str(root / "config" / slug / CONFIG_NAME), str(root / "tenants" / slug), str(subnet(index, POOL)[2]))


def spec_of(slug: str, image_id: str, port: int, tenant_id: TenantId | None = None, index: int = 0) -> Workload:
    return Workload(
        tenant=TenantRef(tenant_id or new_tenant_id(), slug),
        node_id=LOCAL,
        subnet=index,
        program=PROGRAM,
        generation=1,
        epoch=0,
        image_id=image_id,
        uid=UID,
        port=port,
        memory_bytes=64 * 1024 * 1024,
        cpu_millis=500,
        pids=64,
        resolvers=RESOLVERS,
    )


@asynccontextmanager
async def tenant(docker: Docker, root: Path, image_id: str, slug: str, index: int, *, is_started: bool = True) -> AsyncIterator[Handmade]:
    spec, side = spec_of(slug, image_id, free_port(), index=index), side_of(root, slug, index)
    files.workspace_create(root / "tenants", slug, UID)
    files.config_mount(root / "config", slug, UID, {"config.toml": b"[gateway]\nport = 42617\n"})
    container_id = ""
    network_id = await docker.create_network(network_body(NAMES, spec.tenant, index, POOL))
    try:
        container_id = await docker.create(NAMES.container(slug), create_body(NAMES, spec, side))
        made = Handmade(spec.tenant.id, slug, spec, side, container_id, network_id, index)
        if is_started:
            await docker.start(container_id)
            await asyncio.to_thread(wait_until, lambda: answers("127.0.0.1", spec.port), 20, f"{slug} answers")
        yield made
    finally:
        if container_id:
            await docker.remove(container_id)
        await docker.remove_network(network_id)
        files.config_unmount(root / "config", slug)
        files.workspace_remove(root / "tenants", slug)


def answers(host: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/health", timeout=2) as response:
            return bool(response.read())
    except OSError:
        return False


async def inside(socket: Path, container: str, script: str) -> tuple[int, str]:
    """Exit status and output of a shell in the container. The platform itself never does this."""
    async with aiodocker.Docker(url=f"unix://{socket}") as client:
        run = await client.containers.container(container).exec(["sh", "-c", script])
        output = b""
        async with run.start(detach=False) as stream:
            while (message := await stream.read_out()) is not None:
                output += message.data
        return int((await run.inspect())["ExitCode"]), output.decode(errors="replace")


async def raw(socket: Path, container: str) -> dict[str, Any]:
    """The engine's own description."""
    async with aiodocker.Docker(url=f"unix://{socket}") as client:
        return await client.containers.container(container).show()
