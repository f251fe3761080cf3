"""No plan promises more than the host has: not when it is changed, not when a tenant gets it."""

import os
from dataclasses import replace

import pytest

from tests.web.conftest import Web
from tests.web.conftest import web as web
from zcplatform.errors import Conflict
from zcplatform.ops.host_capacity import HostCapacity, excess, of_this_host, require_fits
from zcplatform.store import plans

GIB = 1024**3


def test_more_cpu_or_memory_than_the_host_has_is_named() -> None:
    host = HostCapacity(cpu_millis=2_000, memory_bytes=4 * GIB)
    assert excess({"cpu_millis": 2_000, "memory_bytes": 4 * GIB}, host) == {}
    assert excess({"cpu_millis": 2_001}, host) == {"cpu_millis": "must be at most 2000: this host has no more"}
    assert list(excess({"memory_bytes": 5 * GIB}, host)) == ["memory_bytes"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"cpu_millis": (os.cpu_count() or 1) * 1000 + 1}, "cpu_millis"),
        ({"memory_bytes": of_this_host().memory_bytes + 1}, "memory_bytes"),
        ({"dollars_month_micros": 1}, "dollars_month_micros"),
        ({"dollars_month_micros": 10**13}, "dollars_month_micros"),
        ({"actions_per_hour": 99_999_999_999}, "actions_per_hour"),
        ({"pids": 100_000}, "pids"),
        ({"memory_bytes": 1}, "memory_bytes"),
    ],
)
async def test_a_plan_that_could_not_be_run_is_refused_and_nothing_is_stored(web: Web, sent: dict[str, int], field: str) -> None:
    before = web.database.read(lambda tx: plans.get(tx, "free"))
    answer = await web.client.patch("/api/plans/free", json=sent)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["fields"])) == (422, "plan.out_of_bounds", [field])
    assert web.database.read(lambda tx: plans.get(tx, "free")) == before


async def test_a_limit_in_cents_is_stored(web: Web) -> None:
    answer = await web.client.patch("/api/plans/free", json={"dollars_month_micros": 5_000_000})
    assert (answer.status_code, answer.json()["dollars_month_micros"]) == (200, 5_000_000)


async def test_a_tenant_gets_no_plan_that_the_host_cannot_run(web: Web) -> None:
    too_many = (os.cpu_count() or 1) * 1000 + 1
    web.database.write_now(lambda tx: tx.execute("UPDATE plans SET cpu_millis = ? WHERE name = 'enterprise'", (too_many,)))
    answer = await web.client.post("/api/tenants", json={"slug": "acme", "plan": "enterprise"})
    assert (answer.status_code, answer.json()["code"]) == (409, "plan.exceeds_host")
    assert (await web.client.post("/api/tenants", json={"slug": "acme"})).status_code == 201
    assert (await web.client.patch("/api/tenants/acme", json={"plan": "enterprise"})).json()["code"] == "plan.exceeds_host"


def test_a_plan_that_fits_is_accepted() -> None:
    plan = plans.Plan("p", 1, GIB // 8, 100, 64, GIB, 1, 1, 1, 0, 0, 0, "full", "[]", 200)
    require_fits(plan)
    with pytest.raises(Conflict, match="does not fit this host"):
        require_fits(replace(plan, cpu_millis=10**9))
