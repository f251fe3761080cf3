"""The same network and container as a tenant's, made with the engine's interface alone: what a deploy is compared with.

The bodies come from the platform's own functions, with names, ports, uids and subnets of their own. The workspace and the configuration's
tmpfs are prepared before the clock starts, so that only the engine and the agent are timed.
"""

import asyncio
import ipaddress
import itertools
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.live.platform import Platform
from tests.rendered import rendered
from zcplatform.adapters import files
from zcplatform.agent import provider_input, sealed
from zcplatform.agent.runtime import PROGRAM
from zcplatform.core.network import address
from zcplatform.core.workload import TenantRef, Workload
from zcplatform.engines.docker.bodies import HostSide, create_body, network_body
from zcplatform.engines.docker.client import Docker
from zcplatform.ids import LOCAL, Names, TenantId, new_tenant_id
from zcplatform.store import plans

CALLS = ("network", "container", "start")
HEALTH_EVERY_S = 0.02
LIMIT_S = 120
FIRST_PORT, FIRST_UID = 30_000, 800_000
"""Between the platform's own ports and those that the kernel gives to outgoing connections."""
SUBNETS = ipaddress.IPv4Network("10.90.0.0/16")
PLAN = "free"


@dataclass(frozen=True)
class Prepared:
    name: str
    port: int
    network: dict[str, Any]
    container: dict[str, Any]


class Bare:
    def __init__(self, platform: Platform, docker: Docker, asking: aiohttp.ClientSession, image_id: str) -> None:
        self._platform = platform
        self._settings = platform.settings
        self._provider = platform.provider()
        self._names = Names(f"x{platform.settings.instance[1:]}")
        self._docker = docker
        self._asking = asking
        self._image_id = image_id
        self._configurations = platform.root / "bare-config"
        self._workspaces = platform.root / "bare-tenants"
        with platform.database() as database:
            plan = database.read(lambda tx: plans.get(tx, PLAN))
        assert plan is not None
        self._plan = plan

    def prepare(self, slug: str, number: int, pins: Sequence[str] = ()) -> Prepared:
        """`pins` are variables beside the fixed ones, as `name=value`; see `pins_of`."""
        tenant_id = new_tenant_id()
        spec = self._spec(tenant_id, slug, number)
        files.workspace_create(self._workspaces, slug, spec.uid)
        key = sealed.new_key()
        provider = provider_input.of("custom", self._provider["model"], self._provider["base_url"], self._provider["api_key"])
        text = rendered(provider, (sealed.token_hash(sealed.new_token()),), lambda plain: sealed.seal(key, plain))
        contents = {"config.toml": text.encode(), ".secret_key": key.hex().encode()}
        files.config_mount(self._configurations, slug, spec.uid, contents)
        network = network_body(self._names, spec.tenant, number, SUBNETS)
        body = create_body(self._names, spec, self._side(slug, number))
        body["Env"] += [pin for pin in pins if pin not in body["Env"]]
        return Prepared(self._names.container(slug), spec.port, network, body)

    def pins_of(self, slug: str) -> tuple[str, ...]:
        """The variables by which the platform pins a plan's ceilings, as the container of the tenant has them."""
        variables = json.loads(self._platform.docker("inspect", "-f", "{{json .Config.Env}}", self._platform.names.container(slug)))
        return tuple(each for each in variables if each.startswith("ZEROCLAW_"))

    async def deploy(self, prepared: Prepared) -> dict[str, float]:
        """How long each of the engine's three calls took, and the agent until it was healthy."""
        return await self.start(prepared) | await self.wait_healthy(prepared)

    async def start(self, prepared: Prepared) -> dict[str, float]:
        marks = [time.perf_counter()]
        await self._docker.create_network(prepared.network)
        marks.append(time.perf_counter())
        created = await self._docker.create(prepared.name, prepared.container)
        marks.append(time.perf_counter())
        await self._docker.start(created)
        marks.append(time.perf_counter())
        return {call: end - start for call, (start, end) in zip(CALLS, itertools.pairwise(marks), strict=True)}

    async def wait_healthy(self, prepared: Prepared) -> dict[str, float]:
        started = time.perf_counter()
        async with asyncio.timeout(LIMIT_S):
            while not await self._answers(prepared.port):
                await asyncio.sleep(HEALTH_EVERY_S)
        return {"health": time.perf_counter() - started}

    async def remove(self, prepared: Prepared) -> None:
        """Not measured."""
        container = await self._docker.container(prepared.name)
        if container is not None:
            await self._docker.remove(container.id)
        await self._docker.remove_network(prepared.name)
        slug = prepared.name.partition("-")[2]
        files.config_unmount(self._configurations, slug)
        files.workspace_remove(self._workspaces, slug)

    async def _answers(self, port: int) -> bool:
        try:
            async with self._asking.get(f"http://127.0.0.1:{port}/health") as answer:
                return answer.status == 200
        except (aiohttp.ClientError, ConnectionError):
            return False

    def _spec(self, tenant_id: TenantId, slug: str, number: int) -> Workload:
        return Workload(
            tenant=TenantRef(tenant_id, slug),
            node_id=LOCAL,
            subnet=number,
            program=PROGRAM,
            generation=1,
            epoch=0,
            image_id=self._image_id,
            uid=FIRST_UID + number,
            port=FIRST_PORT + number,
            memory_bytes=self._plan.memory_bytes,
            cpu_millis=self._plan.cpu_millis,
            pids=self._plan.pids,
            resolvers=tuple(self._settings.resolvers),
        )

    def _side(self, slug: str, number: int) -> HostSide:
        config, workspace = self._configurations / slug / files.CONFIG_NAME, self._workspaces / slug
        return HostSide(str(config), str(workspace), address(number, SUBNETS))

    def close(self) -> None:
        """What an interrupted run left mounted."""
        for slug in files.config_mounts(self._configurations) if self._configurations.exists() else ():
            files.config_unmount(self._configurations, slug)
        shutil.rmtree(self._workspaces, ignore_errors=True)
