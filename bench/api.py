"""A client of the platform's API that keeps its connections. It sends the measured requests and nothing else."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.live.platform import Platform

LOOK_EVERY_S = 0.02
"""The same interval as for the bare container's health."""
LIMIT_S = 180
ENDED_BADLY = frozenset({"failed", "crash_loop"})


class Api:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    async def __aenter__(self) -> Self:
        connector = aiohttp.UnixConnector(path=str(self._platform.settings.web_socket), limit=0)
        # The type said with every request: the library says one of bytes where there is no body.
        headers = {"Authorization": f"Bearer {self._platform.token}", "Content-Type": "application/json"}
        self._session = aiohttp.ClientSession("http://panel", connector=connector, headers=headers)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        async with self._session.request(method, path, json=body) as answer:
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json(content_type=None)

    async def create(self, slugs: Sequence[str]) -> None:
        for slug in slugs:
            await self.ask("POST", "/api/tenants", {"slug": slug, "provider": self._platform.provider()})

    async def deploy(self, slug: str) -> dict[str, Any]:
        """From the request to the state `running`; gives the operation as it was accepted."""
        operation = await self.ask("POST", f"/api/tenants/{slug}/deploy")
        async with asyncio.timeout(LIMIT_S):
            while (tenant := await self.ask("GET", f"/api/tenants/{slug}"))["state"] != "running":
                _check(tenant)
                await asyncio.sleep(LOOK_EVERY_S)
        return dict(operation)

    async def deploy_all(self, slugs: Sequence[str], look_every_s: float = 0.1) -> list[dict[str, Any]]:
        """Ask for all at once; the platform itself decides how many are worked on at a time."""
        operations = await asyncio.gather(*(self.ask("POST", f"/api/tenants/{slug}/deploy") for slug in slugs))
        async with asyncio.timeout(LIMIT_S):
            for slug in slugs:
                while (tenant := await self.ask("GET", f"/api/tenants/{slug}"))["state"] != "running":
                    _check(tenant)
                    await asyncio.sleep(look_every_s)
        return operations

    async def delete_all(self, slugs: Sequence[str]) -> None:
        """Until nothing is left of them: not measured."""
        operations = await asyncio.gather(*(self.ask("DELETE", f"/api/tenants/{slug}") for slug in slugs))
        async with asyncio.timeout(LIMIT_S):
            for operation in operations:
                while (await self.ask("GET", f"/api/operations/{operation['id']}"))["finished_at"] is None:
                    await asyncio.sleep(0.2)

    async def step_times(self, operation: dict[str, Any]) -> dict[str, float]:
        """How long each step of an operation took, and what came before the first one."""
        ended = await self.ask("GET", f"/api/operations/{operation['id']}")
        steps = ended["steps"]
        times = {"asked → first step": _between(ended["created_at"], steps[0]["started_at"])}
        times |= {step["name"]: _between(step["started_at"], step["finished_at"]) for step in steps}
        return times


def _check(tenant: dict[str, Any]) -> None:
    if tenant["state"] in ENDED_BADLY:
        raise RuntimeError(f"{tenant['slug']} is {tenant['state']}: {tenant['reason']}")


def _between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
