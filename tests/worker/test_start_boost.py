"""The start-up boost without an engine: who gets one, how many have one, and that it always ends."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engines.docker.test_bodies import SPEC
from tests.live.waiting import until
from zcplatform.core.workload import Workload
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.errors import StepFailed
from zcplatform.ids import TenantId
from zcplatform.worker.boosts import Boosts
from zcplatform.worker.reconcile import start_boost


class LimitsPlace:
    """Remembers the processor limit it was given; does not answer as often as `silent` says."""

    def __init__(self, silent: int = 0, refuses: bool = False) -> None:
        self.cpu_millis: list[int] = []
        self.silent, self.refuses = silent, refuses

    async def set_limits(self, workload: Workload) -> dict[str, Any]:
        if self.cpu_millis and self.silent:
            self.silent -= 1
            raise EngineUnreachable("no answer")
        if self.cpu_millis and self.refuses:
            raise StepFailed("container.foreign", "it is another one's")
        self.cpu_millis.append(workload.cpu_millis)
        return {}


def _snapshot(number: int, cpu_millis: int = 250, failures: int = 0) -> Any:
    tenant = SimpleNamespace(id=TenantId(f"ten_{number}"), failures=failures)
    return SimpleNamespace(tenant=tenant, workload=replace(SPEC, cpu_millis=cpu_millis))


def _deps(place: LimitsPlace, *snapshots: Any, at_most: int = 2) -> Any:
    known = {one.tenant.id: one for one in snapshots}
    settings = SimpleNamespace(start_boosts=at_most)
    return SimpleNamespace(boosts=Boosts(), settings=settings, place=lambda _: place, snapshot=known.get)


async def _ends(deps: Any, *snapshots: Any) -> None:
    async def ended() -> bool:
        return not any(deps.boosts.has(one.tenant.id) for one in snapshots)

    await until(ended, 20, "the boosts end")


async def test_a_boost_lasts_until_its_end_and_gives_the_limit_back() -> None:
    place, one = LimitsPlace(), _snapshot(1)
    deps = _deps(place, one)
    await start_boost.begin(deps, one)
    assert (place.cpu_millis, deps.boosts.has(one.tenant.id)) == ([1000], True)
    start_boost.end(deps, one.tenant.id)
    await _ends(deps, one)
    assert place.cpu_millis == [1000, 250]


@pytest.mark.parametrize(("cpu_millis", "failures", "at_most"), [(1000, 0, 2), (4000, 0, 2), (250, 1, 2), (250, 0, 0)])
async def test_who_gets_none(cpu_millis: int, failures: int, at_most: int) -> None:
    place, one = LimitsPlace(), _snapshot(1, cpu_millis, failures)
    deps = _deps(place, one, at_most=at_most)
    await start_boost.begin(deps, one)
    start_boost.end(deps, one.tenant.id)
    assert (place.cpu_millis, deps.boosts.has(one.tenant.id)) == ([], False)


async def test_no_more_than_the_setting_says_at_once() -> None:
    place, all_of_them = LimitsPlace(), [_snapshot(number) for number in range(5)]
    deps = _deps(place, *all_of_them)
    for one in all_of_them:
        await start_boost.begin(deps, one)
    assert [deps.boosts.has(one.tenant.id) for one in all_of_them] == [True, True, False, False, False]
    start_boost.end(deps, all_of_them[0].tenant.id)
    await _ends(deps, all_of_them[0])
    await start_boost.begin(deps, all_of_them[4])
    assert place.cpu_millis == [1000, 1000, 250, 1000]
    for one in all_of_them:
        start_boost.end(deps, one.tenant.id)
    await _ends(deps, *all_of_them)


async def test_a_silent_engine_is_asked_again_until_the_limit_is_back() -> None:
    place, one = LimitsPlace(silent=1), _snapshot(1)
    deps = _deps(place, one)
    await start_boost.begin(deps, one)
    start_boost.end(deps, one.tenant.id)
    await _ends(deps, one)
    assert place.cpu_millis == [1000, 250]


async def test_what_cannot_be_given_back_here_is_left_to_the_next_look() -> None:
    place, one = LimitsPlace(refuses=True), _snapshot(1)
    deps = _deps(place, one)
    await start_boost.begin(deps, one)
    start_boost.end(deps, one.tenant.id)
    await _ends(deps, one)
    assert place.cpu_millis == [1000]


async def test_a_tenant_that_is_gone_ends_its_boost() -> None:
    place, one = LimitsPlace(), _snapshot(1)
    deps = _deps(place)
    await start_boost.begin(deps, one)
    start_boost.end(deps, one.tenant.id)
    await _ends(deps, one)
    assert place.cpu_millis == [1000]
