"""A configuration asked of the agent itself before it, or another image, replaces what runs: in a throw-away container of the image it will run on.

It has no network, no file of the tenant's and none of its secrets: placeholders under a key of their own, on a mount of its own. What a killed worker
left behind is swept by the next one.
"""

import asyncio
from typing import Any

from zcplatform.adapters import files
from zcplatform.agent import configuration_check, sealed
from zcplatform.core.container import CONFIG_TARGET, check_body
from zcplatform.core.tenant import Tenant
from zcplatform.errors import PlatformError, RevisionRejected, StepFailed
from zcplatform.log import logger
from zcplatform.worker.case import Case, spec
from zcplatform.worker.placeholders import placeholders
from zcplatform.worker.recording import saw
from zcplatform.worker.throwaway import remove, run_once
from zcplatform.worker.tools import Tools

CHECK, PREFLIGHT = "check", "preflight"
PURPOSES = (CHECK, PREFLIGHT)


async def check(tools: Tools, case: Case) -> None:
    """The step. Raises RevisionRejected with the agent's words."""
    words = await objection(tools, case, CHECK)
    if words is not None:
        raise RevisionRejected("revision.refused", f"the agent refuses it: {words}")
    await saw(tools, case, {"checked_revision": case.tenant.revision, "checked_image_id": case.tenant.image})


async def objection(tools: Tools, case: Case, purpose: str) -> str | None:
    """What the agent of the case's image has against the case's configuration; None when it takes it."""
    name = tools.names.check(case.tenant.slug, purpose)
    root = tools.settings.check_dir / purpose
    key = sealed.new_key()
    content = {
        "config.toml": placeholders(tools, case, key).encode(),
        ".secret_key": key.hex().encode(),
        configuration_check.EMPTY_PATCH_NAME: configuration_check.EMPTY_PATCH,
    }
    tools.checking.add(name)
    try:
        uid = case.needs_allocation().uid
        for command in configuration_check.commands(CONFIG_TARGET):
            await asyncio.to_thread(files.config_mount, root, case.tenant.slug, uid, content, allow_swap=tools.settings.allow_swap)
            words = configuration_check.rejection(*await run_once(tools, name, _body(tools, case, purpose, command)))
            if words is not None:
                return words
        return None
    finally:
        await _clear(tools, case.tenant.slug, purpose)
        tools.checking.discard(name)


def _body(tools: Tools, case: Case, purpose: str, command: tuple[str, ...]) -> dict[str, Any]:
    try:
        return check_body(tools.names, spec(tools.settings, case, config_root=tools.settings.check_dir / purpose), command)
    except ValueError as error:
        raise StepFailed("tenant.invalid", f"Tenant `{case.tenant.slug}` can not have such a container: {error}") from None


async def clear(tools: Tools, tenant: Tenant) -> None:
    """Whatever a check of this tenant left behind."""
    for purpose in PURPOSES:
        await _clear(tools, tenant.slug, purpose)


async def _clear(tools: Tools, slug: str, purpose: str) -> None:
    await remove(tools, tools.names.check(slug, purpose))
    await asyncio.to_thread(files.config_unmount, tools.settings.check_dir / purpose, slug)


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
