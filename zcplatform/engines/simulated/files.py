"""The files of a simulated place: workspaces and configurations, in memory."""

from collections.abc import AsyncGenerator, Mapping

from zcplatform.core.workload import TenantRef
from zcplatform.engines.seen import Stamp
from zcplatform.engines.simulated.faults import Faults, call
from zcplatform.engines.simulated.world import Mount, World
from zcplatform.errors import StepFailed


class SimulatedFiles:
    world: World
    faults: Faults

    # Workspace

    @call()
    async def put_workspace(self, tenant: TenantRef, uid: int) -> None:
        self.world.require_own(tenant, "workspace")
        remains = self.world.of(tenant)
        remains.is_claimed, remains.workspace_owner = True, uid
        remains.workspace = remains.workspace if remains.workspace is not None else {}

    @call()
    async def remove_workspace(self, tenant: TenantRef) -> None:
        self.world.require_own(tenant, "workspace")
        remains = self.world.of(tenant)
        remains.workspace, remains.workspace_owner = None, None

    @call()
    async def release_workspace(self, tenant: TenantRef) -> None:
        remains = self.world.of(tenant)
        remains.is_claimed = False
        if remains.is_nothing:
            del self.world.tenants[tenant]

    @call()
    async def write_workspace_file(self, tenant: TenantRef, uid: int, name: str, content: bytes) -> None:
        del uid
        remains = self.world.of(tenant)
        if remains.workspace is None:
            raise StepFailed("workspace.unusable", f"`{tenant.slug}` has no workspace")
        remains.workspace[name] = content

    @call()
    async def remove_workspace_file(self, tenant: TenantRef, name: str, content: bytes) -> None:
        workspace = self.world.of(tenant).workspace
        if workspace is not None and workspace.get(name) == content:
            del workspace[name]

    async def export_workspace(self, tenant: TenantRef) -> AsyncGenerator[bytes, None]:
        """Not a tar stream: each file as its name and its content."""
        workspace = self.world.of(tenant).workspace
        if workspace is None:
            raise StepFailed("workspace.unusable", f"`{tenant.slug}` has no workspace")
        for name, content in workspace.items():
            yield name.encode() + b"\0" + content

    async def import_workspace(self, tenant: TenantRef, uid: int, parts: AsyncGenerator[bytes, None]) -> None:
        await self.put_workspace(tenant, uid)
        async for part in parts:
            name, _, content = part.partition(b"\0")
            await self.write_workspace_file(tenant, uid, name.decode(), content)

    # Configuration

    @call(false_answer="nowhere")
    async def write_configuration(self, tenant: TenantRef, uid: int, files: Mapping[str, bytes]) -> str:
        nonce = f"n{self.world.number()}"
        self.world.of(tenant).configuration = Mount(nonce, uid, dict(files))
        return nonce

    @call()
    async def drop_configuration(self, tenant: TenantRef) -> None:
        self.world.of(tenant).configuration = None

    async def read_configuration(self, tenant: TenantRef, name: str, limit_bytes: int) -> bytes | None:
        found = self.world.of(tenant).configuration
        content = found.files.get(name) if found is not None else None
        return content if content is not None and len(content) <= limit_bytes else None

    async def stamp_configuration(self, tenant: TenantRef, name: str) -> Stamp | None:
        found = self.world.of(tenant).configuration
        return Stamp(0, int(found.nonce[1:]), 0, len(found.files[name]), is_settled=True) if found and name in found.files else None
