"""Which agents have a start-up boost now (see reconcile/start_boost.py). In memory only: a new worker knows of none, and ends those left by the last."""

import asyncio

from zcplatform.ids import TenantId


class Boosts:
    def __init__(self) -> None:
        self._ends: dict[TenantId, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, tenant_id: TenantId, at_most: int) -> bool:
        """Register a boost. False if the agent has one already, or if `at_most` others have one."""
        if tenant_id in self._ends or len(self._ends) >= at_most:
            return False
        self._ends[tenant_id] = asyncio.Event()
        return True

    def has(self, tenant_id: TenantId) -> bool:
        return tenant_id in self._ends

    def end(self, tenant_id: TenantId) -> None:
        if tenant_id in self._ends:
            self._ends[tenant_id].set()

    async def ended(self, tenant_id: TenantId) -> None:
        await self._ends[tenant_id].wait()

    def release(self, tenant_id: TenantId) -> None:
        del self._ends[tenant_id]

    def keep(self, task: asyncio.Task[None]) -> None:
        """Keep a task alive: asyncio itself holds no strong reference to it."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
