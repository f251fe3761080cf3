"""A configuration asked of the agent itself before it replaces one that runs: in a throw-away container of the tenant's image.

It has no network, no file of the tenant's and none of its secrets: placeholders under a key of their own, on a mount of its own. What a killed worker
left behind is swept by the next one.
"""

import asyncio

from zcplatform.adapters import files
from zcplatform.agent import render, sealed, verdict
from zcplatform.core.container import CONFIG_TARGET, check_body
from zcplatform.core.tenant import Tenant
from zcplatform.errors import PlatformError, RevisionRefused, StepFailed
from zcplatform.ids import LABEL_CHECK, LABEL_INSTANCE
from zcplatform.log import logger
from zcplatform.worker.case import Case, spec
from zcplatform.worker.configuration import placeholders
from zcplatform.worker.recording import saw
from zcplatform.worker.tools import Tools

CHECK, PREFLIGHT = "check", "preflight"
LOOK_EVERY_S = 0.05
MOST_LINES = 200
PURPOSES = (CHECK, PREFLIGHT)


async def check(tools: Tools, case: Case) -> None:
    """The step. Raises RevisionRefused with the agent's words."""
    words = await objection(tools, case, CHECK)
    if words is not None:
        raise RevisionRefused("revision.refused", f"the agent refuses it: {words}")
    await saw(tools, case, {"checked_revision": case.tenant.revision})


async def objection(tools: Tools, case: Case, purpose: str) -> str | None:
    """What the agent of the case's image has against the case's configuration; None when it takes it."""
    name = tools.names.check(case.tenant.slug, purpose)
    root = tools.settings.check_dir / purpose
    key = sealed.new_key()
    text = render.render(placeholders(tools, case), lambda value: sealed.seal(key, value))
    content = {"config.toml": text.encode(), ".secret_key": key.hex().encode(), verdict.NOTHING_NAME: verdict.NOTHING}
    tools.checking.add(name)
    try:
        uid = case.needs_allocation().uid
        for command in verdict.commands(CONFIG_TARGET):
            await asyncio.to_thread(files.config_mount, root, case.tenant.slug, uid, content, allow_swap=tools.settings.allow_swap)
            words = verdict.objection(*await _run(tools, case, name, purpose, command))
            if words is not None:
                return words
        return None
    finally:
        await _clear(tools, case.tenant.slug, purpose)
        tools.checking.discard(name)


async def _run(tools: Tools, case: Case, name: str, purpose: str, command: tuple[str, ...]) -> tuple[int | None, str]:
    """(exit code, what it printed)"""
    await _remove(tools, name)
    wanted = spec(tools.settings, case, config_root=tools.settings.check_dir / purpose)
    try:
        body = check_body(tools.names, wanted, command)
    except ValueError as error:
        raise StepFailed("tenant.invalid", f"Tenant `{case.tenant.slug}` can not have such a container: {error}") from None
    container_id = await tools.docker.create(name, body)
    await tools.docker.start(container_id)
    deadline = asyncio.get_running_loop().time() + tools.settings.start_timeout_s
    while (found := await tools.docker.container(name)) is not None and found.exit_code is None:
        if asyncio.get_running_loop().time() > deadline:
            return None, f"it gave no answer within {tools.settings.start_timeout_s:g} s"
        await asyncio.sleep(LOOK_EVERY_S)
    if found is None:
        raise StepFailed("check.gone", f"The container that checks `{case.tenant.slug}` was removed in the middle")
    printed = [line.decode(errors="replace") async for line in tools.docker.logs(name, tail=MOST_LINES)]
    return found.exit_code, "\n".join(line.rstrip("\n") for line in printed)


async def clear(tools: Tools, tenant: Tenant) -> None:
    """Whatever a check of this tenant left behind."""
    for purpose in PURPOSES:
        await _clear(tools, tenant.slug, purpose)


async def _clear(tools: Tools, slug: str, purpose: str) -> None:
    await _remove(tools, tools.names.check(slug, purpose))
    await asyncio.to_thread(files.config_unmount, tools.settings.check_dir / purpose, slug)


async def _remove(tools: Tools, name: str) -> None:
    found = await tools.docker.container(name)
    if found is not None and found.labels.get(LABEL_INSTANCE) == tools.settings.instance and LABEL_CHECK in found.labels:
        await tools.docker.remove(found.id)


async def sweep(tools: Tools) -> None:
    """Mounts that no check uses. Their containers carry our labels and go with everything else that belongs to nobody."""
    for purpose in PURPOSES:
        root = tools.settings.check_dir / purpose
        for slug in files.config_mounts(root):
            if tools.names.check(slug, purpose) in tools.checking:
                continue
            try:
                await asyncio.to_thread(files.config_unmount, root, slug)
            except PlatformError as error:
                logger.warning("a check's mount could not be removed", slug=slug, error=error.detail)
