"""Nothing is concluded from a silent engine: no agent counts as stopped, no route or object is removed, and the machine is unknown."""

import apsw

from tests.simulated.rig import Rig
from zcplatform.engines.seen import Trouble
from zcplatform.store import machines


def _machine(rig: Rig) -> tuple[str, int | None, str | None]:
    (row,) = rig.database.read(machines.everything)
    return row.state, row.cpus, row.seen_at


def _running(rig: Rig) -> dict[str, tuple[str, int]]:
    found = {ref.slug: remains.container for ref, remains in rig.world.tenants.items()}
    return {slug: (one.ref, one.starts) for slug, one in found.items() if one is not None and one.is_alive}


def test_nothing_is_concluded_from_silence(rig: Rig) -> None:
    for slug in ("acme", "other"):
        rig.create(slug)
        rig.deploy(slug)
    rig.settle()
    world, routes, (state, cpus, seen_at) = _running(rig), rig.edge.routes(), _machine(rig)
    assert (state, len(routes)) == ("up", 2)
    rig.place.faults.is_silent = True
    rig.run(900)
    assert (_running(rig), rig.edge.routes()) == (world, routes)
    assert [(row.state, row.seen_container, row.error_code) for row in rig.rows()] == [("unknown", "running", "engine.unreachable")] * 2
    assert _machine(rig) == ("unknown", cpus, seen_at), "what was known of it stays, with its time"
    rig.settle()
    assert _machine(rig)[:2] == ("up", cpus)
    assert [row.state for row in rig.rows()] == ["running"] * 2


def test_no_agent_is_judged_while_its_place_is_in_trouble(rig: Rig) -> None:
    """F3: without the engine's own firewall rules no check gets through, and a restart would end what cannot be started again."""
    rig.create("acme")
    rig.deploy("acme")
    rig.settle()
    world = _running(rig)
    rig.world.trouble = Trouble("engine.rules_gone", "The engine's own firewall rules are gone", "Restart the engine")
    rig.world.sick.add("acme")
    rig.run(900)
    assert _running(rig) == world
    assert [row.seen_probe_failures for row in rig.rows()] == [0]
    rig.world.trouble = None
    rig.run(900)
    assert _running(rig) != world, "now it counts"


def test_nothing_is_removed_on_the_word_of_an_empty_table(rig: Rig) -> None:
    """B6: a database that lost every tenant is more likely than one that never had any beside what runs."""
    rig.create("acme")
    rig.deploy("acme")
    rig.settle()
    (remains,) = rig.world.tenants.values()
    container = remains.container
    assert container is not None
    somebody = apsw.Connection(str(rig.database.path))
    somebody.execute("PRAGMA foreign_keys = OFF; DELETE FROM tenants")
    somebody.close()
    rig.run(120)
    assert list(rig.world.tenants.values()) == [remains]
    assert remains.container is container
