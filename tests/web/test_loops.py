"""Loops of the worker as the API, `/readyz` and the command line show them; and a database that is really writable."""

from typing import Any

import pytest

from tests.web.conftest import Web
from tests.web.test_agents import worker

LOOP: dict[str, Any] = {
    "name": "mail", "period_s": 5.0, "is_running": False, "is_late": False, "started_at": "2026-01-01T00:00:00.000Z",
    "finished_at": "2026-01-01T00:00:00.000Z", "duration_s": 0.01, "result": "", "error_code": "", "error": "", "failures": 0, "rounds": 7,
}  # fmt: skip


async def test_loops_are_listed_for_operators(web: Web) -> None:
    async with worker(web, {"loops": [LOOP]}) as requests:
        answer = await web.client.get("/api/loops")
        assert (answer.status_code, answer.json()) == (200, {"items": [LOOP]})
        assert requests == [{"verb": "loops"}]
        assert (await web.client.get("/api/loops", headers={"Authorization": ""})).status_code == 401


async def test_without_a_worker_the_list_is_unavailable(web: Web) -> None:
    answer = await web.client.get("/api/loops")
    assert (answer.status_code, answer.json()["code"]) == (503, "worker.unreachable")


@pytest.mark.parametrize(
    ("changes", "status", "shown"),
    [
        ({}, 200, []),
        ({"error_code": "mail.unreachable", "failures": 3}, 200, ["mail: failing"]),
        ({"is_late": True, "error_code": "mail.unreachable"}, 503, ["mail: late"]),
    ],
)
async def test_ready_shows_loops_that_are_late_or_failing(web: Web, changes: dict[str, Any], status: int, shown: list[str]) -> None:
    async with worker(web, {"loops": [{**LOOP, **changes}]}):
        web.settings.worker_heartbeat.parent.mkdir(parents=True, exist_ok=True)
        web.settings.worker_heartbeat.touch()
        answer = await web.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["loops"]) == (status, status == 200, shown)


async def test_ready_commits_something(web: Web) -> None:
    """A lock that is taken and given back says nothing about a disk that is full or read-only."""
    before = web.database.data_version()
    await web.client.get("/readyz")
    assert web.database.data_version() != before
