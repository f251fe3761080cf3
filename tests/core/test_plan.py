"""The decision of what is left to do: every combination of what can be seen, and the promises that hold for each."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from zcplatform.core.plan import FIRST_DEPLOY, ContainerFacts, Seen, Step, plan
from zcplatform.core.tenant import Wanted

NOTHING = Seen(
    is_allocated=False,
    firewall_stands=False,
    has_network=False,
    network_is_current=False,
    has_workspace=False,
    workspace_is_whole=False,
    has_config=False,
    config_is_current=False,
    container=None,
    is_healthy=False,
    is_routed=False,
    route_is_current=False,
    is_verified=False,
    is_waiting=False,
)
SERVING = Seen(
    is_allocated=True,
    firewall_stands=True,
    has_network=True,
    network_is_current=True,
    has_workspace=True,
    workspace_is_whole=True,
    has_config=True,
    config_is_current=True,
    container=ContainerFacts(is_running=True, is_current=True),
    is_healthy=True,
    is_routed=True,
    route_is_current=True,
    is_verified=True,
    is_waiting=False,
)
containers = st.none() | st.builds(ContainerFacts, st.booleans(), st.booleans(), st.booleans())


def _possible(seen: Seen) -> Seen:
    """What can be seen together: a route to our port needs a port, a current container or configuration needs to be there at all."""
    container = seen.container and replace(seen.container, is_current=seen.container.is_current and seen.is_allocated)
    return replace(
        seen,
        container=container,
        network_is_current=seen.network_is_current and seen.has_network and seen.is_allocated,
        workspace_is_whole=seen.workspace_is_whole and seen.has_workspace and seen.is_allocated,
        config_is_current=seen.config_is_current and seen.has_config,
        route_is_current=seen.route_is_current and seen.is_routed and seen.is_allocated,
    )


anything = st.builds(
    Seen, *[st.booleans()] * 8, container=containers, is_healthy=st.booleans(), is_routed=st.booleans(), route_is_current=st.booleans(),
    is_verified=st.booleans(), is_waiting=st.just(False),
).map(_possible)  # fmt: skip


def test_a_first_deploy_takes_all_steps_in_order() -> None:
    assert plan(Wanted.RUNNING, NOTHING) == FIRST_DEPLOY


def test_a_serving_tenant_needs_nothing() -> None:
    assert plan(Wanted.RUNNING, SERVING) == ()


def test_a_draft_needs_nothing() -> None:
    assert plan(Wanted.DRAFT, NOTHING) == ()


def test_a_stop_unroutes_first_and_keeps_container_and_workspace() -> None:
    assert plan(Wanted.STOPPED, SERVING) == (Step.UNROUTE, Step.STOP, Step.DROP_CONFIGURATION)


def test_a_start_after_a_stop_uses_the_container_again() -> None:
    stopped = replace(
        SERVING, container=ContainerFacts(is_running=False, is_current=True), has_config=False, config_is_current=False, is_healthy=False,
        is_routed=False, route_is_current=False, is_verified=False,
    )  # fmt: skip
    assert plan(Wanted.RUNNING, stopped) == (Step.CONFIGURATION, Step.START, Step.HEALTH, Step.ROUTE, Step.VERIFY)


def test_a_changed_specification_replaces_the_container() -> None:
    changed = replace(SERVING, container=ContainerFacts(is_running=True, is_current=False))
    assert plan(Wanted.RUNNING, changed) == (
        Step.IMAGE, Step.UNROUTE, Step.STOP, Step.REMOVE, Step.CONFIGURATION, Step.CONTAINER, Step.START, Step.HEALTH, Step.ROUTE, Step.VERIFY,
    )  # fmt: skip


def test_limits_changed_by_hand_are_given_back_without_a_restart() -> None:
    loosened = ContainerFacts(is_running=True, is_current=True, has_wanted_limits=False)
    assert plan(Wanted.RUNNING, replace(SERVING, container=loosened)) == (Step.LIMITS,)


@given(anything)
def test_nothing_starts_with_limits_of_somebody_elses(seen: Seen) -> None:
    steps = plan(Wanted.RUNNING, seen)
    if Step.START in steps and seen.container is not None and not seen.container.has_wanted_limits:
        assert {Step.CONTAINER, Step.LIMITS} & set(steps[: steps.index(Step.START)])


def test_a_replaced_mount_is_drift() -> None:
    assert plan(Wanted.RUNNING, replace(SERVING, config_is_current=False))[:3] == (Step.UNROUTE, Step.STOP, Step.CONFIGURATION)


def test_a_network_of_another_specification_is_made_again_without_anybody_on_it() -> None:
    steps = plan(Wanted.RUNNING, replace(SERVING, network_is_current=False))
    assert steps[:6] == (Step.IMAGE, Step.UNROUTE, Step.STOP, Step.REMOVE, Step.REMOVE_NETWORK, Step.NETWORK)


def test_a_workspace_that_was_cut_off_is_made_whole() -> None:
    assert plan(Wanted.RUNNING, replace(SERVING, workspace_is_whole=False)) == (Step.WORKSPACE,)


def test_nothing_that_serves_is_taken_away_before_the_new_image_is_there() -> None:
    steps = plan(Wanted.RUNNING, replace(SERVING, container=ContainerFacts(is_running=True, is_current=False)))
    assert steps[0] is Step.IMAGE


def test_a_delete_ends_with_the_proof() -> None:
    assert plan(Wanted.ABSENT, SERVING) == (
        Step.UNROUTE, Step.STOP, Step.REMOVE, Step.DROP_CONFIGURATION, Step.REMOVE_NETWORK, Step.REMOVE_WORKSPACE, Step.VERIFY_GONE, Step.ARCHIVE,
    )  # fmt: skip


def test_while_waiting_only_a_dead_route_is_taken_away() -> None:
    waiting = replace(SERVING, is_waiting=True)
    assert plan(Wanted.RUNNING, waiting) == ()
    assert plan(Wanted.RUNNING, replace(waiting, container=None)) == (Step.UNROUTE,)
    assert plan(Wanted.RUNNING, replace(waiting, container=ContainerFacts(is_running=False, is_current=True))) == (Step.UNROUTE,)
    assert plan(Wanted.ABSENT, replace(NOTHING, is_waiting=True)) == ()


def test_the_agent_before_goes_on_answering_while_the_next_one_can_not_be_made() -> None:
    before = replace(SERVING, container=ContainerFacts(is_running=True, is_current=False), is_waiting=True)
    assert plan(Wanted.RUNNING, before) == ()
    assert plan(Wanted.RUNNING, replace(before, is_healthy=False)) == (Step.UNROUTE,), "not one that hangs"


@given(anything)
def test_a_stopped_tenant_is_never_started(seen: Seen) -> None:
    for wanted in (Wanted.STOPPED, Wanted.ABSENT, Wanted.DRAFT):
        assert not {Step.START, Step.CONTAINER, Step.ROUTE} & set(plan(wanted, seen))


@given(anything)
def test_nothing_starts_before_firewall_network_workspace_and_a_fresh_configuration(seen: Seen) -> None:
    steps = plan(Wanted.RUNNING, seen)
    if Step.START not in steps:
        return
    at = steps.index(Step.START)
    assert seen.firewall_stands or Step.FIREWALL in steps[:at]
    assert seen.network_is_current or Step.NETWORK in steps[:at]
    assert seen.workspace_is_whole or Step.WORKSPACE in steps[:at]
    assert seen.is_allocated or Step.ALLOCATE in steps[:at]
    assert Step.CONFIGURATION in steps[:at]
    assert steps.index(Step.HEALTH) > at


@given(anything)
def test_never_two_containers_side_by_side(seen: Seen) -> None:
    steps = plan(Wanted.RUNNING, seen)
    if seen.container is not None and Step.CONTAINER in steps:
        assert steps.index(Step.REMOVE) < steps.index(Step.CONTAINER)
    if seen.container is not None and seen.container.is_running and Step.CONFIGURATION in steps:
        assert steps.index(Step.STOP) < steps.index(Step.CONFIGURATION)


@given(anything)
def test_a_route_goes_before_what_it_leads_to(seen: Seen) -> None:
    for wanted in (Wanted.RUNNING, Wanted.STOPPED, Wanted.ABSENT):
        steps = plan(wanted, seen)
        if seen.is_routed and Step.STOP in steps:
            assert steps.index(Step.UNROUTE) < steps.index(Step.STOP)


@given(anything)
def test_no_step_stands_twice(seen: Seen) -> None:
    for wanted in Wanted:
        steps = plan(wanted, seen)
        assert len(set(steps)) == len(steps)


def _after(seen: Seen, step: Step) -> Seen:
    """What is seen after a step that was done: a model of the world, enough to show that plans end."""
    effects: dict[Step, dict[str, object]] = {
        Step.ALLOCATE: {"is_allocated": True, "route_is_current": False},
        Step.FIREWALL: {"firewall_stands": True},
        Step.NETWORK: {"has_network": True, "network_is_current": True},
        Step.WORKSPACE: {"has_workspace": True, "workspace_is_whole": True},
        Step.UNROUTE: {"is_routed": False, "route_is_current": False, "is_verified": False},
        Step.REMOVE: {"container": None, "is_healthy": False},
        Step.CONFIGURATION: {"has_config": True, "config_is_current": True, "is_healthy": False},
        Step.CONTAINER: {"container": ContainerFacts(is_running=False, is_current=True)},
        Step.HEALTH: {"is_healthy": True},
        Step.ROUTE: {"is_routed": True, "route_is_current": True, "is_verified": False},
        Step.VERIFY: {"is_verified": True},
        Step.DROP_CONFIGURATION: {"has_config": False, "config_is_current": False},
        Step.REMOVE_NETWORK: {"has_network": False, "network_is_current": False},
        Step.REMOVE_WORKSPACE: {"has_workspace": False},
    }
    if step in (Step.STOP, Step.START):
        assert seen.container is not None
        return replace(seen, container=replace(seen.container, is_running=step is Step.START), is_healthy=False)
    if step is Step.LIMITS:
        assert seen.container is not None
        return replace(seen, container=replace(seen.container, has_wanted_limits=True))
    return replace(seen, **effects.get(step, {}))  # type: ignore[arg-type]


@given(anything)
def test_the_steps_lead_to_what_is_wanted_in_one_go(seen: Seen) -> None:
    for wanted in (Wanted.RUNNING, Wanted.STOPPED):
        now = seen
        for step in plan(wanted, seen):
            now = _after(now, step)
        assert plan(wanted, now) == ()


CHANGED = replace(SERVING, config_is_current=False, needs_check=True)


def test_a_changed_revision_is_checked_before_anything_that_serves_is_touched() -> None:
    assert plan(Wanted.RUNNING, CHANGED)[:3] == (Step.IMAGE, Step.CHECK, Step.UNROUTE)
    assert Step.CHECK not in plan(Wanted.RUNNING, replace(CHANGED, needs_check=False))


@given(anything.map(_possible), st.sampled_from(Wanted))
def test_a_check_comes_once_before_the_configuration_and_only_when_it_is_needed(seen: Seen, wanted: Wanted) -> None:
    steps = plan(wanted, replace(seen, needs_check=True))
    assert len(set(steps)) == len(steps)
    assert (Step.CHECK in steps) == (Step.CONFIGURATION in steps)
    if Step.CHECK in steps:
        later = steps[steps.index(Step.CHECK) :]
        assert {Step.CONFIGURATION} <= set(later)
        assert not {Step.UNROUTE, Step.STOP, Step.REMOVE} & set(steps[: steps.index(Step.CHECK)])
        assert steps.index(Step.IMAGE) < steps.index(Step.CHECK)
    assert Step.CHECK not in plan(wanted, replace(seen, needs_check=False))
