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
from zcplatform.worker.configuration.placeholders import placeholders
from zcplatform.worker.deps import Deps
from zcplatform.worker.images.throwaway import remove, run_once
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, spec

CHECK, PREFLIGHT = "check", "preflight"
PURPOSES = (CHECK, PREFLIGHT)


async def check(deps: Deps, snapshot: TenantSnapshot) -> None:
    """The step. Raises RevisionRejected with the agent's words."""
    words = await objection(deps, snapshot, CHECK)
    if words is not None:
        raise RevisionRejected("revision.rejected", f"the agent refuses it: {words}")
    await record_seen(deps, snapshot, {"checked_revision": snapshot.tenant.revision, "checked_image_id": snapshot.tenant.image})


async def objection(deps: Deps, snapshot: TenantSnapshot, purpose: str) -> str | None:
    """What the agent of the snapshot's image has against the snapshot's configuration; None when it takes it."""
    name = deps.names.check(snapshot.tenant.slug, purpose)
    root = deps.settings.check_dir / purpose
    key = sealed.new_key()
    content = {
        "config.toml": placeholders(deps, snapshot, key).encode(),
        ".secret_key": key.hex().encode(),
        configuration_check.EMPTY_PATCH_NAME: configuration_check.EMPTY_PATCH,
    }
    deps.active_checks.add(name)
    try:
        uid = snapshot.require_allocation().uid
        for command in configuration_check.commands(CONFIG_TARGET):
            await asyncio.to_thread(files.config_mount, root, snapshot.tenant.slug, uid, content, allow_swap=deps.settings.allow_swap)
            words = configuration_check.rejection(*await run_once(deps, name, _body(deps, snapshot, purpose, command)))
            if words is not None:
                return words
        return None
    finally:
        await _clear(deps, snapshot.tenant.slug, purpose)
        deps.active_checks.discard(name)


def _body(deps: Deps, snapshot: TenantSnapshot, purpose: str, command: tuple[str, ...]) -> dict[str, Any]:
    try:
        return check_body(deps.names, spec(deps.settings, snapshot, config_root=deps.settings.check_dir / purpose), command)
    except ValueError as error:
        raise StepFailed("tenant.invalid", f"Tenant `{snapshot.tenant.slug}` can not have such a container: {error}") from None


async def clear(deps: Deps, tenant: Tenant) -> None:
    """Whatever a check of this tenant left behind."""
    for purpose in PURPOSES:
        await _clear(deps, tenant.slug, purpose)


async def _clear(deps: Deps, slug: str, purpose: str) -> None:
    await remove(deps, deps.names.check(slug, purpose))
    await asyncio.to_thread(files.config_unmount, deps.settings.check_dir / purpose, slug)


async def sweep(deps: Deps) -> None:
    """Mounts that no check uses. Their containers carry our labels and go with everything else that belongs to nobody."""
    for purpose in PURPOSES:
        root = deps.settings.check_dir / purpose
        for slug in files.config_mounts(root):
            if deps.names.check(slug, purpose) in deps.active_checks:
                continue
            try:
                await asyncio.to_thread(files.config_unmount, root, slug)
            except PlatformError as error:
                logger.warning("a check's mount could not be removed", slug=slug, error=error.detail)
