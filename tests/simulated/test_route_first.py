"""A1: a name that is to lead nowhere does so at once, whether or not the engine answers."""

import pytest

from tests.simulated.rig import Rig
from zcplatform.worker.upstreams import of_document


@pytest.mark.parametrize("verb", ["stop", "delete"])
def test_the_route_goes_while_the_engine_is_down(rig: Rig, verb: str) -> None:
    rig.create("acme")
    rig.deploy("acme")
    rig.settle()
    row = rig.row("acme")
    assert (row.state, set(of_document(rig.saved))) == ("running", {row.id})
    rig.place.faults.is_silent = True
    getattr(rig, verb)("acme")
    rig.run(30)
    assert (rig.row("acme").seen_upstream, of_document(rig.saved)) == (None, {})
    assert rig.remains("acme").container is not None, "nothing is concluded from silence"
    rig.place.faults.is_silent = False
    rig.settle()
    assert [one for one in rig.world.tenants.values() if one.container is not None and one.container.is_alive] == []


@pytest.mark.parametrize("wrong", ["UPDATE revisions SET settings = '[]'", "UPDATE plans SET cpu_millis = 999999999"])
def test_no_row_keeps_a_tenant_from_being_stopped(rig: Rig, wrong: str) -> None:
    rig.create("acme")
    rig.deploy("acme")
    rig.settle()
    rig.database.write_now(lambda tx: tx.execute(wrong))
    rig.stop("acme")
    rig.settle()
    assert (rig.row("acme").state, rig.remains("acme").container.is_alive) == ("stopped", False)  # type: ignore[union-attr]
