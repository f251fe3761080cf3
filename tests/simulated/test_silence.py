"""A silent engine says nothing: no agent counts as stopped, no route goes, nothing is removed, and the machine is unknown."""

from tests.simulated.rig import Rig
from zcplatform.store import machines


def _machine(rig: Rig) -> tuple[str, int | None, str | None]:
    (row,) = rig.database.read(machines.everything)
    return row.state, row.cpus, row.seen_at


def test_nothing_is_concluded_from_silence(rig: Rig) -> None:
    for slug in ("acme", "other"):
        rig.create(slug)
        rig.deploy(slug)
    rig.settle()
    world, routes, (state, cpus, seen_at) = dict(rig.world.tenants), rig.edge.routes(), _machine(rig)
    assert (state, len(routes)) == ("up", 2)
    rig.place.faults.is_silent = True
    rig.run(900)
    assert (dict(rig.world.tenants), rig.edge.routes()) == (world, routes)
    assert [(row.state, row.seen_container, row.error_code) for row in rig.rows()] == [("unknown", "running", "engine.unreachable")] * 2
    assert _machine(rig) == ("unknown", cpus, seen_at), "what was known of it stays, with its time"
    rig.settle()
    assert _machine(rig)[:2] == ("up", cpus)
    assert [row.state for row in rig.rows()] == ["running"] * 2
