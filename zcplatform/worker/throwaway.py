"""Containers that run one command and are removed: for a configuration to be checked, or for a program to say what it is."""

import asyncio
from typing import Any

from zcplatform.errors import StepFailed
from zcplatform.ids import LABEL_CHECK, LABEL_INSTANCE
from zcplatform.worker.tools import Tools

LOOK_EVERY_S = 0.05
MOST_LINES = 200


async def run_once(tools: Tools, name: str, body: dict[str, Any]) -> tuple[int | None, str]:
    """(exit code, what it printed). One of that name that was left behind is removed first; this one is left to `remove`."""
    await remove(tools, name)
    container_id = await tools.docker.create(name, body)
    await tools.docker.start(container_id)
    deadline = asyncio.get_running_loop().time() + tools.settings.start_timeout_s
    while (found := await tools.docker.container(name)) is not None and found.exit_code is None:
        if asyncio.get_running_loop().time() > deadline:
            return None, f"it gave no answer within {tools.settings.start_timeout_s:g} s"
        await asyncio.sleep(LOOK_EVERY_S)
    if found is None:
        raise StepFailed("check.gone", f"The container {name} was removed in the middle", "it is tried again")
    printed = [line.decode(errors="replace") async for line in tools.docker.logs(name, tail=MOST_LINES)]
    return found.exit_code, "\n".join(line.rstrip("\n") for line in printed)


async def remove(tools: Tools, name: str) -> None:
    """Already gone is success; what is not one of these is not touched."""
    found = await tools.docker.container(name)
    if found is not None and found.labels.get(LABEL_INSTANCE) == tools.settings.instance and LABEL_CHECK in found.labels:
        await tools.docker.remove(found.id)
