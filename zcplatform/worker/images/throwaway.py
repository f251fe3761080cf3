"""Containers that run one command and are removed: for a configuration to be checked, or for a program to say what it is."""

import asyncio
from typing import Any

from zcplatform.errors import StepFailed
from zcplatform.ids import LABEL_INSTANCE, LABEL_THROWAWAY
from zcplatform.worker.deps import Deps

LOOK_EVERY_S = 0.05
MOST_LINES = 200


async def run_once(deps: Deps, name: str, body: dict[str, Any]) -> tuple[int | None, str]:
    """(exit code, what it printed). One of that name that was left behind is removed first; this one is left to `remove`."""
    await remove(deps, name)
    container_id = await deps.docker.create(name, body)
    await deps.docker.start(container_id)
    deadline = asyncio.get_running_loop().time() + deps.settings.start_timeout_s
    while (found := await deps.docker.container(name)) is not None and found.exit_code is None:
        if asyncio.get_running_loop().time() > deadline:
            return None, f"it gave no answer within {deps.settings.start_timeout_s:g} s"
        await asyncio.sleep(LOOK_EVERY_S)
    if found is None:
        raise StepFailed("check.gone", f"The container {name} was removed in the middle", "it is tried again")
    printed = [line.decode(errors="replace") async for line in deps.docker.logs(name, tail=MOST_LINES)]
    return found.exit_code, "\n".join(line.rstrip("\n") for line in printed)


async def remove(deps: Deps, name: str) -> None:
    """Already gone is success; what is not one of these is not touched."""
    found = await deps.docker.container(name)
    if found is not None and found.labels.get(LABEL_INSTANCE) == deps.settings.instance and LABEL_THROWAWAY in found.labels:
        await deps.docker.remove(found.id)
