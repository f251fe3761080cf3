"""The engine of an installation on one machine: one local place."""

import socket
from collections.abc import AsyncGenerator

from zcplatform.core.workload import Program
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.docker.place import Firewall, LocalPlace
from zcplatform.engines.seen import Facts, Machine, MachineState
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.ids import LOCAL, NodeId, TenantId, is_id
from zcplatform.settings import Settings


class LocalEngine:
    def __init__(self, settings: Settings, firewall: Firewall, program: Program) -> None:
        self._instance = settings.instance
        self._docker = Docker(settings.docker_socket)
        self._place = LocalPlace(settings, self._docker, firewall, program)

    async def machines(self) -> tuple[Machine, ...]:
        try:
            found = await self._place.facts()
        except PlatformError:
            found = None
        facts = found if isinstance(found, Facts) else None
        return (Machine(LOCAL, socket.gethostname(), MachineState.UP if facts else MachineState.UNKNOWN, facts),)

    def place(self, node: NodeId) -> LocalPlace:
        if node != LOCAL:
            raise StepFailed("machine.unknown", f"There is no machine `{node[:40]}` in this installation", "zcplatform doctor")
        return self._place

    async def events(self) -> AsyncGenerator[tuple[TenantId | None, str], None]:
        async for tenant_id, action in self._docker.events(self._instance):
            yield TenantId(tenant_id) if tenant_id and is_id(tenant_id) else None, action

    async def close(self) -> None:
        await self._docker.close()
