"""The shown state: a table of what is known and what it is called."""

from typing import Any

import pytest

from zcplatform.core.backoff import delay_s
from zcplatform.core.holds import Hold, HoldKind, effective_wanted
from zcplatform.core.tenant import Request, State, Tenant, Wanted, has_failed, state
from zcplatform.ids import TenantId

SERVES: dict[str, Any] = {
    "wanted": Wanted.RUNNING,
    "seen_generation": 1,
    "seen_container": "running",
    "seen_healthy": 1,
    "seen_verified": 1,
}

HELD = (Hold(HoldKind.SUSPENDED, "x", "2026-01-01T00:00:00.000Z", "root"),)
QUOTA = (Hold(HoldKind.QUOTA, "no messages left today", "2026-01-01T00:00:00.000Z", "usage"),)


def _tenant(**known: Any) -> Tenant:
    row: dict[str, Any] = {
        "id": TenantId("ten_a"), "slug": "shop", "name": "Shop", "plan": "free", "image_id": None, "wanted": Wanted.DRAFT,
        "last_request": Request.DEPLOY, "wanted_revision": 1, "wanted_epoch": 0, "generation": 1, "seen_generation": 0, "seen_container": "absent",
        "seen_config": None, "seen_healthy": 0, "seen_healthy_at": None, "seen_upstream": None, "seen_verified": 0, "seen_probe_failures": 0,
        "failures": 0, "error_code": None, "error_detail": None, "error_hint": None, "next_attempt_at": None, "state": "draft", "reason": "",
        "created_at": "", "updated_at": "", "deleted_at": None,
    }  # fmt: skip
    return Tenant(**{**row, **known})


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, State.DRAFT),
        ({"wanted": Wanted.RUNNING}, State.DEPLOYING),
        (SERVES, State.RUNNING),
        ({**SERVES, "failures": 3}, State.RUNNING),
        ({**SERVES, "generation": 2, "last_request": Request.RESTART}, State.RESTARTING),
        ({**SERVES, "generation": 2, "last_request": Request.UPDATE}, State.RESTARTING),
        ({**SERVES, "seen_healthy": 0}, State.RESTARTING),
        ({**SERVES, "error_code": "edge.unreachable", "error_detail": "x"}, State.DEGRADED),
        ({**SERVES, "error_code": "engine.unreachable", "error_detail": "x"}, State.UNKNOWN),
        ({"wanted": Wanted.RUNNING, "error_code": "engine.unreachable", "error_detail": "x"}, State.DEPLOYING),
        ({**SERVES, "seen_healthy": 0, "error_code": "agent.exited", "failures": 1}, State.RESTARTING),
        ({**SERVES, "seen_healthy": 0, "error_code": "agent.exited", "failures": 3}, State.CRASH_LOOP),
        ({"wanted": Wanted.RUNNING, "error_code": "image.missing", "failures": 1}, State.FAILED),
        ({"wanted": Wanted.RUNNING, "error_code": "network.subnet_taken", "failures": 1}, State.DEPLOYING),
        ({"wanted": Wanted.RUNNING, "error_code": "network.subnet_taken", "failures": 3}, State.FAILED),
        ({"wanted": Wanted.STOPPED, "seen_container": "running"}, State.STOPPING),
        ({"wanted": Wanted.STOPPED, "seen_container": "stopped", "seen_generation": 1}, State.STOPPED),
        ({"wanted": Wanted.STOPPED, "seen_container": "running", "error_code": "engine.unreachable"}, State.UNKNOWN),
        ({"wanted": Wanted.RUNNING, "seen_container": "running", "holds": HELD}, State.STOPPING),
        ({"wanted": Wanted.RUNNING, "seen_container": "stopped", "seen_generation": 1, "holds": HELD}, State.SUSPENDED),
        ({"wanted": Wanted.STOPPED, "seen_container": "stopped", "seen_generation": 1, "holds": HELD}, State.SUSPENDED),
        ({"wanted": Wanted.STOPPED, "seen_container": "stopped", "seen_generation": 1, "holds": QUOTA}, State.OVER_QUOTA),
        ({"wanted": Wanted.DRAFT, "holds": HELD}, State.SUSPENDED),
        ({"wanted": Wanted.ABSENT, "seen_container": "running", "holds": HELD}, State.DELETING),
        ({"wanted": Wanted.ABSENT, "seen_container": "running"}, State.DELETING),
    ],
)
def test_the_state_follows_from_the_row(known: dict[str, Any], expected: State) -> None:
    shown, reason = state(_tenant(**known))
    assert shown is expected
    assert reason


@pytest.mark.parametrize(
    ("known", "revision", "needs_check"),
    [
        ({}, 4, False),
        ({"last_good_revision": 4}, 4, False),
        ({"last_good_revision": 3}, 4, True),
        ({"last_good_revision": 3, "checked_revision": 3}, 4, True),
        ({"last_good_revision": 3, "checked_revision": 4}, 4, False),
        ({"last_good_revision": 3, "rejected_revision": 4}, 3, False),
        ({"last_good_revision": 2, "rejected_revision": 3}, 4, True),
        ({"rejected_revision": 4}, 4, False),
        ({"last_good_revision": 3, "rejected_revision": 4, "rejected_image_id": "img_b"}, 4, True),
    ],
)
def test_the_revision_to_run_with(known: dict[str, Any], revision: int, needs_check: bool) -> None:
    tenant = _tenant(wanted_revision=4, **known)
    assert (tenant.revision, tenant.needs_check) == (revision, needs_check)


@pytest.mark.parametrize(
    ("known", "image", "needs_check"),
    [
        ({}, "img_b", False),
        ({"last_good_revision": 1, "last_good_image_id": "img_b"}, "img_b", False),
        ({"last_good_revision": 1, "last_good_image_id": "img_a"}, "img_b", True),
        ({"last_good_revision": 1, "last_good_image_id": "img_a", "checked_revision": 1, "checked_image_id": "img_a"}, "img_b", True),
        ({"last_good_revision": 1, "last_good_image_id": "img_a", "checked_revision": 1, "checked_image_id": "img_b"}, "img_b", False),
        ({"last_good_revision": 1, "last_good_image_id": "img_a", "rejected_revision": 1, "rejected_image_id": "img_b"}, "img_a", False),
        ({"last_good_revision": 1, "last_good_image_id": "img_a", "rejected_revision": 1, "rejected_image_id": "img_c"}, "img_b", True),
    ],
)
def test_the_image_to_run_with(known: dict[str, Any], image: str, needs_check: bool) -> None:
    tenant = _tenant(image_id="img_b", wanted_revision=1, **known)
    assert (tenant.image, tenant.needs_check) == (image, needs_check)


def test_the_state_says_that_an_image_was_taken_back() -> None:
    good = {**SERVES, "wanted_revision": 1, "last_good_revision": 1, "last_good_image_id": "img_a", "image_id": "img_b"}
    row = _tenant(**good, rejected_revision=1, rejected_image_id="img_b", rejected_reason="no")
    assert state(row) == (State.RUNNING, "still on the previous image; the new one was rolled back: no")
    both = _tenant(**{**good, "wanted_revision": 2}, rejected_revision=2, rejected_image_id="img_b", rejected_reason="no")
    assert state(both) == (State.RUNNING, "running revision 1; revision 2, on a new image, was rolled back: no")


def test_the_state_says_that_a_revision_was_taken_back() -> None:
    row = _tenant(**SERVES, wanted_revision=4, last_good_revision=3, rejected_revision=4, rejected_reason="no such model")
    assert state(row) == (State.RUNNING, "running revision 3; revision 4 was rolled back: no such model")
    newer = _tenant(**SERVES, wanted_revision=5, last_good_revision=3, rejected_revision=4, rejected_reason="no such model")
    assert state(newer) == (State.RUNNING, "healthy and reachable")


def test_an_unreachable_engine_never_fails_an_operation() -> None:
    assert not has_failed("engine.unreachable", 1000)
    assert has_failed("image.missing", 1)
    assert not has_failed("agent.exited", 2)
    assert has_failed("agent.exited", 3)


def test_the_wait_doubles_up_to_five_minutes() -> None:
    assert [delay_s(failures, 0) for failures in (1, 2, 3, 4, 5, 6, 50, 10_000)] == [10, 20, 40, 80, 160, 300, 300, 300]
    assert delay_s(1, 1) == 12


@pytest.mark.parametrize("wanted", [*Wanted])
@pytest.mark.parametrize("holds", [(), HELD, QUOTA, HELD + QUOTA])
def test_whoever_is_held_does_not_run_and_all_else_stays(wanted: Wanted, holds: tuple[Hold, ...]) -> None:
    made = effective_wanted(wanted, holds)
    assert (made is Wanted.RUNNING) == (wanted is Wanted.RUNNING and not holds)
    assert made is (Wanted.STOPPED if holds and wanted is Wanted.RUNNING else wanted)


def test_the_state_names_all_holds_suspension_first() -> None:
    row = _tenant(wanted=Wanted.RUNNING, seen_container="stopped", seen_generation=1, holds=QUOTA + HELD)
    assert state(row) == (State.SUSPENDED, "suspended: x; over quota: no messages left today")
