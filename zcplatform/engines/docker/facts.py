"""Read what a machine with a Docker engine can do, and what its containers use."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from zcplatform.adapters.host import swap_active
from zcplatform.engines.docker import observing
from zcplatform.engines.docker.answers import EngineInfo
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.seen import Facts, Reading
from zcplatform.errors import StepFailed
from zcplatform.ids import Names, TenantId
from zcplatform.settings import Settings, Span

_READ_AT_ONCE = 8


def facts(engine: EngineInfo, settings: Settings) -> Facts:
    return Facts(
        engine=f"Docker {engine.version}",
        cpus=engine.cpus,
        memory_bytes=engine.memory_bytes,
        limits_live=True,
        keeps_agents=engine.live_restore,
        problems=tuple(problems(engine, settings.uid_span, is_swapping=swap_active())),
    )


def problems(engine: EngineInfo, uids: Span, *, is_swapping: bool, uid_map: Path = Path("/proc/self/uid_map")) -> Iterator[str]:
    """Promises that this engine cannot keep, one sentence each."""
    options = {option.partition(",")[0] for option in engine.security}
    if "name=rootless" in options:
        yield "it is rootless, so tenants cannot have uids and networks of their own; run it as root"
    if "name=userns" in options:
        yield "it remaps user ids (userns-remap), so tenants' files would belong to other uids; remove that option of dockerd"
    if not engine.limits_memory or not engine.limits_cpu or not engine.limits_pids:
        yield "this kernel does not limit the memory, processor time or processes of containers; enable these cgroup controllers"
    if not engine.counts_swap and is_swapping:
        yield "swap is active and this kernel does not limit it per container; turn swap off, or boot with swapaccount=1"
    if not _is_mapped(uids, uid_map):
        yield f"the platform runs in a user namespace without the uids {uids.first}-{uids.last}; map them, or choose `uids` among those it has"


def _is_mapped(uids: Span, uid_map: Path) -> bool:
    for line in uid_map.read_text().splitlines():
        inside, _, count = (int(field) for field in line.split())
        if inside <= uids.first and uids.last < inside + count:
            return True
    return False


async def readings(docker: Docker, names: Names) -> dict[TenantId, Reading]:
    at_once = asyncio.Semaphore(_READ_AT_ONCE)

    async def read(container_id: str) -> Reading | None:
        async with at_once:
            try:
                return await docker.usage(container_id)
            except StepFailed:
                return None  # it ended meanwhile

    running = [
        (ref.id, one.id)
        for one in await docker.containers(names.instance)
        if one.state == "running" and (ref := observing.owner(names, one.labels, one.name)) is not None
    ]
    found = await asyncio.gather(*(read(container_id) for _, container_id in running))
    return {tenant_id: reading for (tenant_id, _), reading in zip(running, found, strict=True) if reading is not None}
