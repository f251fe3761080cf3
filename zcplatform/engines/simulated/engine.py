"""The simulated engine: one machine whose tenants live in memory."""

import asyncio
from collections.abc import AsyncGenerator

from zcplatform.engines.protocol import Place
from zcplatform.engines.seen import Machine, MachineState, Silence
from zcplatform.engines.simulated.place import SimulatedPlace
from zcplatform.errors import StepFailed
from zcplatform.ids import LOCAL, NodeId, TenantId


class SimulatedEngine:
    def __init__(self, place: SimulatedPlace) -> None:
        self._place = place
        self._closed = asyncio.Event()

    async def machines(self) -> tuple[Machine, ...]:
        facts = await self._place.facts()
        is_silent = isinstance(facts, Silence)
        state = MachineState.UNKNOWN if is_silent else MachineState.UP
        return (Machine(LOCAL, "simulated", state, None if isinstance(facts, Silence) else facts),)

    def place(self, node: NodeId) -> Place:
        if node != LOCAL:
            raise StepFailed("machine.unknown", f"There is no machine `{node}` in a simulation", "use the local one")
        return self._place

    async def events(self) -> AsyncGenerator[tuple[TenantId | None, str], None]:
        """Report no events: all changes are the worker's own, and the period finds what a test changed."""
        await self._closed.wait()
        return
        yield

    async def close(self) -> None:
        self._closed.set()
