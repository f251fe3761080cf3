"""A place that knows one agent: real files of this machine, and an agent that answers on a port. There is no engine."""

from collections.abc import AsyncGenerator
from typing import Any, cast

from zcplatform.core.workload import TenantRef
from zcplatform.engines.host_files import HostFiles
from zcplatform.engines.protocol import Engine, Place
from zcplatform.engines.seen import Address
from zcplatform.ids import LOCAL, NodeId, TenantId
from zcplatform.settings import Settings


class AgentPlace(HostFiles):
    """What asks more of it than where the agent answers fails: it is not there."""

    node_id = LOCAL

    def __init__(self, settings: Settings, port: int) -> None:
        super().__init__(settings)
        self.address = Address("127.0.0.1", port)

    async def agent(self, _: TenantRef) -> Address:
        return self.address


class AgentEngine:
    def __init__(self, settings: Settings, port: int) -> None:
        self._place = AgentPlace(settings, port)

    async def machines(self) -> tuple[Any, ...]:
        return ()

    def place(self, node: NodeId) -> Place:
        assert node == LOCAL
        return cast("Place", self._place)

    async def events(self) -> AsyncGenerator[tuple[TenantId | None, str], None]:
        return
        yield

    async def close(self) -> None:
        return


def agent_engine(settings: Settings, port: int) -> Engine:
    return AgentEngine(settings, port)
