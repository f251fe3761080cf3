"""A place's files: workspaces and configuration mounts on the worker's machine.

The half of a place that does not depend on the container engine. Blocking work runs on threads; the trees are hostile (adapters/files.py).
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

from zcplatform.adapters import archives, files
from zcplatform.core.workload import TenantRef
from zcplatform.engines.seen import Stamp
from zcplatform.errors import StepFailed
from zcplatform.settings import Settings


class HostFiles:
    def __init__(self, settings: Settings) -> None:
        self._workspaces = settings.tenants_dir
        self._configurations = settings.config_dir
        self._allow_swap = settings.allow_swap

    async def put_workspace(self, tenant: TenantRef, uid: int) -> None:
        await self._claim(tenant)
        await asyncio.to_thread(files.workspace_create, self._workspaces, tenant.slug, uid)

    async def remove_workspace(self, tenant: TenantRef) -> None:
        await self._claim(tenant)
        await asyncio.to_thread(files.workspace_remove, self._workspaces, tenant.slug)

    async def release_workspace(self, tenant: TenantRef) -> None:
        await asyncio.to_thread(files.workspace_unclaim, self._workspaces, tenant.slug)

    async def write_workspace_file(self, tenant: TenantRef, uid: int, name: str, content: bytes) -> None:
        await asyncio.to_thread(files.workspace_write, self._workspaces, tenant.slug, uid, name, content)

    async def remove_workspace_file(self, tenant: TenantRef, name: str, content: bytes) -> None:
        await asyncio.to_thread(files.workspace_take_away, self._workspaces, tenant.slug, name, content)

    async def export_workspace(self, tenant: TenantRef) -> AsyncGenerator[bytes, None]:
        await self._claim(tenant)
        owner = await asyncio.to_thread(files.workspace_owner, self._workspaces, tenant.slug)
        if owner is None:
            raise StepFailed(
                "workspace.unusable", f"The workspace of `{tenant.slug}` is incomplete", "Start the tenant once, which repairs it"
            )
        async for part in archives.pack(self._workspaces / tenant.slug, owner):
            yield part

    async def import_workspace(self, tenant: TenantRef, uid: int, parts: AsyncGenerator[bytes, None]) -> None:
        await self.put_workspace(tenant, uid)
        await archives.unpack(self._workspaces / tenant.slug, uid, parts)

    async def write_configuration(self, tenant: TenantRef, uid: int, contents: Mapping[str, bytes]) -> str:
        return await self._mount(self._configurations, tenant.slug, uid, contents)

    async def drop_configuration(self, tenant: TenantRef) -> None:
        await asyncio.to_thread(files.config_unmount, self._configurations, tenant.slug)

    async def read_configuration(self, tenant: TenantRef, name: str, limit_bytes: int) -> bytes | None:
        return await asyncio.to_thread(files.config_read, self._configurations, tenant.slug, name, limit_bytes)

    async def stamp_configuration(self, tenant: TenantRef, name: str) -> Stamp | None:
        return files.config_stamp(self._configurations, tenant.slug, name)

    async def _mount(self, root: Path, slug: str, uid: int, contents: Mapping[str, bytes]) -> str:
        return await asyncio.to_thread(files.config_mount, root, slug, uid, contents, allow_swap=self._allow_swap)

    async def _claim(self, tenant: TenantRef) -> None:
        """Check the owner of the workspace: a row with another tenant's slug can neither use nor remove its files."""
        owner = await asyncio.to_thread(files.workspace_claim, self._workspaces, tenant.slug, tenant.id)
        if owner != tenant.id:
            raise StepFailed("workspace.foreign", f"The files of `{tenant.slug}` belong to tenant {owner}", "They are left unchanged")
