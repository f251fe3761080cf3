"""The start-up boost on the real engine: a whole core until healthy, then the plan's limit, also when the worker is killed in between."""

import pytest

from tests.live import invariants
from tests.live.platform import Platform

pytestmark = pytest.mark.live
CORE = 1_000_000_000


def _reported(platform: Platform, slug: str) -> int:
    """How often a change of limits was taken for one made by hand."""
    tenant = platform.tenant(slug)["id"]
    return sum(entry["tenant_id"] == tenant for entry in platform.api("GET", "/api/audit?action=tenant.limits&limit=200").body["items"])


def _until_it_waits_for_health(platform: Platform) -> None:
    """The worker is killed when the agent was started and is not waited for yet."""
    assert platform.serve is not None
    assert platform.serve.wait(40) == -9


def test_the_limit_of_the_plan_is_back_after_a_start(platform: Platform) -> None:
    platform.create("swift")
    platform.do("swift", "deploy")
    platform.wait_unboosted("swift")
    platform.do("swift", "restart")
    platform.wait_unboosted("swift")
    assert _reported(platform, "swift") == 0
    platform.do("swift", "delete")


def test_a_boost_that_a_killed_worker_left_ends(platform: Platform) -> None:
    platform.create("orphan")
    platform.failpoint.write_text("deploy.health.before")
    operation = platform.ask("orphan", "deploy")
    _until_it_waits_for_health(platform)
    assert platform.cpu("orphan") == CORE
    platform.start_serve()
    platform.finish(operation)
    platform.wait_unboosted("orphan")
    assert _reported(platform, "orphan") == 0, "nobody changed it by hand"
    invariants.check(platform)
    platform.do("orphan", "delete")


def test_an_agent_that_crashed_starts_without_a_boost(platform: Platform) -> None:
    platform.create("crashed")
    platform.do("crashed", "deploy")
    platform.wait_unboosted("crashed")
    limit = platform.cpu("crashed")
    platform.failpoint.write_text("deploy.health.before")
    platform.docker("kill", platform.names.container("crashed"))
    _until_it_waits_for_health(platform)
    assert platform.cpu("crashed") == limit
    since = platform.started_at("crashed")
    platform.start_serve()
    platform.wait_state("crashed", "running")
    assert platform.started_at("crashed") == since
    platform.do("crashed", "delete")
    invariants.check(platform)
