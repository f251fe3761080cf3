"""Every call that a request makes to the engine or the edge, with every fault: killed before and after, lied to, slow, silent, answer lost, and
every step twice. Afterwards everything is as requested and the invariants hold.
"""

from collections.abc import Callable, Iterator

import pytest

from tests.simulated import invariants
from tests.simulated.rig import Rig
from zcplatform.engines.simulated.faults import Fault, Faults
from zcplatform.worker.reconcile.reconcile import reconcile

Act = Callable[[Rig, str], None]
CLOSE_LOOK_S = 45


def _nothing(rig: Rig, slug: str) -> None:
    rig.create(slug)


def _running(rig: Rig, slug: str) -> None:
    rig.create(slug)
    rig.deploy(slug)
    rig.settle()


def _stopped(rig: Rig, slug: str) -> None:
    _running(rig, slug)
    rig.stop(slug)
    rig.settle()


def _drifted(rig: Rig, slug: str) -> None:
    """Somebody changed the limits of what runs."""
    _running(rig, slug)
    container = rig.remains(slug).container
    assert container is not None
    container.limits["pids"] = 1


def _wait(rig: Rig, slug: str) -> None:
    """The health loop asks for a close look, which shows limits."""
    rig.run(CLOSE_LOOK_S - 12)


REQUESTS: dict[str, tuple[Act, Callable[[Rig, str], None], str | None]] = {
    "deploy": (_nothing, lambda rig, slug: rig.deploy(slug), "running"),
    "stop": (_running, lambda rig, slug: rig.stop(slug), "stopped"),
    "start": (_stopped, lambda rig, slug: rig.start(slug), "running"),
    "restart": (_running, lambda rig, slug: rig.restart(slug), "running"),
    "delete": (_running, lambda rig, slug: rig.delete(slug), None),
    "repair": (_drifted, _wait, "running"),
}


def _calls(rig: Rig, request: str, faults: Faults) -> list[str]:
    """The calls it takes when nothing fails."""
    prepare, act, _ = REQUESTS[request]
    prepare(rig, "probe")
    before = len(faults.calls)
    act(rig, "probe")
    rig.run(12)
    calls = faults.calls[before:]
    _remove(rig, "probe")
    return calls


def _remove(rig: Rig, slug: str) -> None:
    if slug in {row.slug for row in rig.rows()}:
        rig.delete(slug)
        rig.settle()


def _cases(rig: Rig, request: str, faults: Faults) -> Iterator[tuple[int, str]]:
    """The number of the first call of each kind, and a slug for its tenant."""
    calls = _calls(rig, request, faults)
    for number, name in enumerate(calls):
        if name not in calls[:number]:
            yield number, f"t-{number:03d}"


def _check(rig: Rig, slug: str, expected: str | None, where: str) -> None:
    found = {row.slug: (row.state, row.reason) for row in rig.rows()}
    assert (found[slug][0] if slug in found else None) == expected, f"{where}: {found}"
    try:
        invariants.at_rest(rig)
    except AssertionError as error:
        raise AssertionError(f"{where}: {error}") from None


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("request_kind", REQUESTS)
def test_every_engine_call_with_every_fault(rig: Rig, request_kind: str, fault: Fault) -> None:
    _every_call(rig, request_kind, fault, rig.place.faults)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.LIE, Fault.DIE_BEFORE])
@pytest.mark.parametrize("request_kind", ["deploy", "stop", "delete"])
def test_every_edge_call_with_every_fault(rig: Rig, request_kind: str, fault: Fault) -> None:
    _every_call(rig, request_kind, fault, rig.edge.faults)


def _every_call(rig: Rig, request_kind: str, fault: Fault, faults: Faults) -> None:
    prepare, act, expected = REQUESTS[request_kind]
    for number, slug in _cases(rig, request_kind, faults):
        prepare(rig, slug)
        calls = len(faults.calls)
        faults.arm_in(number, fault)
        act(rig, slug)
        rig.run(12)
        invariants.always(rig)
        where = (
            f"{request_kind}, {fault} at call {number} ({faults.calls[calls + number] if calls + number < len(faults.calls) else 'none'})"
        )
        rig.settle()
        _check(rig, slug, expected, where)
        _remove(rig, slug)
    invariants.at_the_end(rig)


@pytest.mark.parametrize("request_kind", REQUESTS)
def test_every_step_twice(rig: Rig, request_kind: str) -> None:
    """A worker that is killed after each call, again and again, repeats each step it had begun; reconciling once more changes nothing."""
    prepare, act, expected = REQUESTS[request_kind]
    prepare(rig, "shop")
    act(rig, "shop")
    for _ in range(80):
        rig.place.faults.arm(Fault.DIE_AFTER)
        rig.run(11)
    rig.run(CLOSE_LOOK_S)
    rig.settle()
    _check(rig, "shop", expected, request_kind)
    before = len(rig.place.faults.calls)
    tenants = dict(rig.world.tenants)
    if expected is not None:
        rig.time.run(reconcile(rig.deps, rig.row("shop").id))
    assert rig.world.tenants == tenants
    assert len(rig.place.faults.calls) - before <= 2, "only looks"
