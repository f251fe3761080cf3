"""What every program measures with: an engine of its own, one installation with the settings of production, the demo agent's image."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp

from bench.api import Api
from bench.bare import Bare
from tests.live.engine import Engine
from tests.live.platform import Platform
from zcplatform.engines.docker.client import Docker

PARALLEL = 4
PRODUCTION = {"reconcile_period_s": 10.0, "health_period_s": 30.0, "start_timeout_s": 60.0, "parallel": PARALLEL}
# Deploys are looked at fifty times a second, and several at once: more than one address may ask by default.
OPEN = {"requests_address": 1_000_000, "requests_account": 1_000_000, "requests_tenant": 1_000_000}


@dataclass(frozen=True)
class Rig:
    platform: Platform
    api: Api
    bare: Bare


@contextmanager
def installation() -> Iterator[Platform]:
    """The whole run's; each program leaves it without tenants."""
    engine = Engine()
    try:
        engine.start()
        platform = Platform(engine, os.environ["ZCP_BENCH_INSTANCE"], **PRODUCTION, **OPEN)
        try:
            platform.start()
            platform.make_image()
            yield platform
        finally:
            platform.close()
    finally:
        engine.close()


@asynccontextmanager
async def rig(platform: Platform) -> AsyncIterator[Rig]:
    asking = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
    async with Api(platform) as api, Docker(platform.engine.socket) as docker, asking:
        image = next(image for image in (await api.ask("GET", "/api/images"))["items"] if image["status"] == "ready")
        bare = Bare(platform, docker, asking, image["image_id"])
        try:
            yield Rig(platform, api, bare)
        finally:
            bare.close()
