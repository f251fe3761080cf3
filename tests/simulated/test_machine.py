"""Random requests, faults, changes by hand, kills and hours: the invariants hold at every moment as far as they can, and whole at rest.

A hypothesis state machine; what it finds it shrinks to the shortest story.
"""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.simulated import invariants
from tests.simulated.rig import Rig
from zcplatform.engines.simulated.faults import Fault
from zcplatform.engines.simulated.world import Container
from zcplatform.errors import Conflict, NotFound
from zcplatform.store.db import Database

SLUGS = st.sampled_from(["aaa", "bbb", "ccc"])
REQUESTS = ("create", "deploy", "start", "stop", "restart", "delete")
METHODS = st.sampled_from(
    ["", "put", "start", "stop", "remove", "look_at", "write_configuration", "remove_network", "put_workspace", "run_once"]
)
EXAMPLES, RULES = 60, 30
PHASES = (Phase.explicit, Phase.generate)
"""Add Phase.shrink to get the shortest story of a failure."""


class Machine(RuleBasedStateMachine):
    """`counted` adds up the calls of all stories."""

    make_database: ClassVar[Callable[[Path], None]]
    counted: ClassVar[list[int]]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        type(self).make_database(self.folder / "zcplatform.db")
        self.database = Database(self.folder / "zcplatform.db")
        self.rig = Rig(self.folder, self.database)
        for slug in ("aaa", "bbb"):
            self.rig.create(slug)
            self.rig.deploy(slug)
        self.rig.settle()

    @rule(slug=SLUGS, kind=st.sampled_from(REQUESTS))
    def request(self, slug: str, kind: str) -> None:
        with suppress(NotFound, Conflict):
            getattr(self.rig, kind)(slug)

    @rule(slug=SLUGS, kind=st.sampled_from(REQUESTS))
    def request_and_wait(self, slug: str, kind: str) -> None:
        self.request(slug, kind)
        self.rig.run(25)

    @rule(seconds=st.sampled_from([1, 11, 60, 400]))
    def let_time_pass(self, seconds: int) -> None:
        self.rig.run(seconds)

    @rule(fault=st.sampled_from(Fault), method=METHODS)
    def the_engine_fails_once(self, fault: Fault, method: str) -> None:
        self.rig.place.faults.arm(fault, method)

    @rule(fault=st.sampled_from([Fault.SILENT, Fault.LIE, Fault.DIE_BEFORE]))
    def the_edge_fails_once(self, fault: Fault) -> None:
        self.rig.edge.faults.arm(fault)

    @rule(is_silent=st.booleans())
    def the_engine_stops_or_starts(self, is_silent: bool) -> None:
        self.rig.place.faults.is_silent = is_silent

    @rule(is_silent=st.booleans())
    def the_edge_stops_or_starts(self, is_silent: bool) -> None:
        self.rig.edge.faults.is_silent = is_silent

    @rule()
    def the_edge_forgets_its_document(self) -> None:
        self.rig.edge.document = None

    @rule()
    def the_worker_is_killed(self) -> None:
        self.rig.time.cancel_everything()
        self.rig.start_worker()

    @rule(slug=SLUGS, oom=st.booleans())
    def an_agent_ends(self, slug: str, oom: bool) -> None:
        for container in self._containers(slug):
            if container.is_alive:
                container.end(137, oom=oom)

    @rule(slug=SLUGS, is_on=st.booleans())
    def an_agent_crashes_at_its_start(self, slug: str, is_on: bool) -> None:
        (self.rig.world.crashing.add if is_on else self.rig.world.crashing.discard)(slug)

    @rule(slug=SLUGS, is_on=st.booleans())
    def an_agent_is_sick(self, slug: str, is_on: bool) -> None:
        (self.rig.world.sick.add if is_on else self.rig.world.sick.discard)(slug)

    @rule(slug=SLUGS, is_on=st.booleans())
    def an_agent_rejects_its_configuration(self, slug: str, is_on: bool) -> None:
        (self.rig.world.rejected.add if is_on else self.rig.world.rejected.discard)(slug)

    @rule(slug=SLUGS, what=st.sampled_from(["limits", "network", "removed", "configuration", "owner"]))
    def somebody_changes_it_by_hand(self, slug: str, what: str) -> None:
        for ref, remains in self.rig.world.tenants.items():
            if ref.slug != slug:
                continue
            if what == "limits" and remains.container is not None:
                remains.container.limits["pids"] = 1
            elif what == "network" and remains.container is not None:
                remains.container.is_isolated = False
            elif what == "removed":
                remains.container = None
            elif what == "configuration":
                remains.configuration = None
            elif remains.workspace_owner is not None:
                remains.workspace_owner = 0

    @rule(port=st.integers(20_000, 20_003), is_taken=st.booleans())
    def another_program_takes_or_frees_a_port(self, port: int, is_taken: bool) -> None:
        (self.rig.world.taken_ports.add if is_taken else self.rig.world.taken_ports.discard)(port)

    @rule()
    def the_firewall_is_flushed(self) -> None:
        self.rig.world.firewall_stands = False

    @rule(hours=st.sampled_from([0, 2]))
    def the_clock_is_set(self, hours: int) -> None:
        self.rig.time.offset = timedelta(hours=hours)

    @precondition(lambda self: self.rig.rows())
    @rule()
    def everything_heals(self) -> None:
        world = self.rig.world
        for broken in (world.crashing, world.sick, world.rejected, world.taken_ports):
            broken.clear()
        self.rig.settle()
        self.rig.settle()
        invariants.at_rest(self.rig)
        for row in self.rig.rows():
            shown = {"running": "running", "stopped": "stopped", "draft": "draft"}[row.wanted]
            assert row.state == shown, f"{row.slug} is wanted {row.wanted} and is {row.state}: {row.reason}"
            for container in self._containers(row.slug):
                assert container.is_isolated, f"{row.slug} is attached to another network"

    @invariant()
    def is_safe(self) -> None:
        invariants.always(self.rig)

    def _containers(self, slug: str) -> list[Container]:
        tenants = self.rig.world.tenants.items()
        return [remains.container for ref, remains in tenants if ref.slug == slug and remains.container is not None]

    def teardown(self) -> None:
        try:
            if self.rig.rows():
                self.everything_heals()
            invariants.at_the_end(self.rig)
        finally:
            self.counted[0] += len(self.rig.place.faults.calls) + len(self.rig.edge.faults.calls)
            self.rig.close()
            self.database.close()
            shutil.rmtree(self.folder)


def machine(make_database: Callable[[Path], None], counted: list[int]) -> type[Machine]:
    return type("Stories", (Machine,), {"make_database": staticmethod(make_database), "counted": counted})


def test_no_story_breaks_an_invariant(make_database: Callable[[Path], None]) -> None:
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=RULES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        phases=PHASES,
    )
    run_state_machine_as_test(machine(make_database, [0]), settings=chosen)  # type: ignore[no-untyped-call]
