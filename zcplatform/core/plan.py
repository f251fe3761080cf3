"""Decide the next steps for one tenant from desired and observed state. No other code decides their order.

First run, retry, restart and repair are the same call: the worker observes everything again and runs the steps that remain.
"""

from dataclasses import dataclass
from enum import StrEnum

from zcplatform.core.tenant import Wanted


class Step(StrEnum):
    ALLOCATE = "allocate"
    FIREWALL = "firewall"
    NETWORK = "network"
    WORKSPACE = "workspace"
    CHECK = "check"
    UNROUTE = "unroute"
    STOP = "stop"
    REMOVE = "remove"
    CONFIGURATION = "configuration"
    IMAGE = "image"
    CONTAINER = "container"
    LIMITS = "limits"
    START = "start"
    HEALTH = "health"
    ROUTE = "route"
    VERIFY = "verify"
    DROP_CONFIGURATION = "drop_configuration"
    REMOVE_NETWORK = "remove_network"
    REMOVE_WORKSPACE = "remove_workspace"
    VERIFY_GONE = "verify_gone"
    ARCHIVE = "archive"


FIRST_DEPLOY = (
    Step.ALLOCATE,
    Step.FIREWALL,
    Step.NETWORK,
    Step.WORKSPACE,
    Step.CONFIGURATION,
    Step.IMAGE,
    Step.CONTAINER,
    Step.START,
    Step.HEALTH,
    Step.ROUTE,
    Step.VERIFY,
)


@dataclass(frozen=True)
class ContainerFacts:
    """The tenant's container as observed. `is_current`: it has the present specification and is attached to its own network only."""

    is_running: bool
    is_current: bool
    has_wanted_limits: bool = True
    """Whether its limits are those it was created with. `docker update` can change them; only an inspection shows it."""


@dataclass(frozen=True)
class Seen:
    """All inputs of the decision, freshly observed. `container` is None if there is none."""

    is_allocated: bool
    firewall_stands: bool
    has_network: bool
    network_is_current: bool
    """Whether it has the present specification."""
    has_workspace: bool
    workspace_is_whole: bool
    has_config: bool
    config_is_current: bool
    """Whether the configuration mount is the one that the running container was started with, and holds the desired revision."""
    container: ContainerFacts | None
    is_healthy: bool
    is_routed: bool
    """A route to a port of this tenant exists, or may exist."""
    route_is_current: bool
    is_verified: bool
    is_waiting: bool
    """An attempt failed and the next one is not due yet."""
    needs_check: bool = False
    """The desired revision differs from the last good one and has not passed the agent's configuration check yet."""


def plan(wanted: Wanted, seen: Seen) -> tuple[Step, ...]:
    """Return the remaining steps in order; none if the desired state is reached."""
    if seen.is_waiting:
        # a running container keeps its route, even if outdated, until its replacement can be created
        answers = _serves(seen) or (_runs(seen) and seen.is_healthy)
        return (Step.UNROUTE,) if seen.is_routed and not answers else ()
    match wanted:
        case Wanted.DRAFT:
            return ()
        case Wanted.RUNNING:
            return _run(seen)
        case Wanted.STOPPED:
            return _stop(seen)
        case Wanted.ABSENT:
            return (*_stop(seen, and_remove=True), *_remove_rest(seen))


def _run(seen: Seen) -> tuple[Step, ...]:
    steps: list[Step] = []
    if not seen.is_allocated:
        steps.append(Step.ALLOCATE)
    if not seen.firewall_stands:
        steps.append(Step.FIREWALL)
    if not seen.has_network:
        steps.append(Step.NETWORK)
    if not seen.workspace_is_whole:
        steps.append(Step.WORKSPACE)
    if not (_serves(seen) and seen.config_is_current and seen.network_is_current):
        steps += _replace_or_restart(seen)
    else:
        if _limits_drifted(seen):
            steps.append(Step.LIMITS)
        if not seen.is_healthy:
            steps.append(Step.HEALTH)
    if Step.HEALTH in steps or not seen.route_is_current:
        steps += [Step.ROUTE, Step.VERIFY]
    elif not seen.is_verified:
        steps.append(Step.VERIFY)
    return tuple(steps)


def _runs(seen: Seen) -> bool:
    return seen.container is not None and seen.container.is_running


def _serves(seen: Seen) -> bool:
    return seen.container is not None and seen.container.is_running and seen.container.is_current


def _limits_drifted(seen: Seen) -> bool:
    return seen.container is not None and not seen.container.has_wanted_limits


def _replace_or_restart(seen: Seen) -> list[Step]:
    """Never run two containers of one tenant side by side: the agent locks its data directory. So a replacement costs the stop time."""
    steps: list[Step] = []
    replace = seen.container is None or not seen.container.is_current or not seen.network_is_current
    if seen.needs_check or (seen.container is not None and replace):
        steps.append(Step.IMAGE)  # checked before anything that serves is removed
    if seen.needs_check:
        steps.append(Step.CHECK)
    if seen.is_routed:
        steps.append(Step.UNROUTE)
    if _runs(seen):
        steps.append(Step.STOP)
    if seen.container is not None and replace:
        steps.append(Step.REMOVE)
    if seen.has_network and not seen.network_is_current:
        steps += [Step.REMOVE_NETWORK, Step.NETWORK]
    steps.append(Step.CONFIGURATION)
    if Step.IMAGE not in steps and replace:
        steps.append(Step.IMAGE)
    if replace:
        steps.append(Step.CONTAINER)
    elif _limits_drifted(seen):
        steps.append(Step.LIMITS)
    return [*steps, Step.START, Step.HEALTH]


def _stop(seen: Seen, *, and_remove: bool = False) -> tuple[Step, ...]:
    steps: list[Step] = []
    if seen.is_routed:
        steps.append(Step.UNROUTE)
    if _runs(seen):
        steps.append(Step.STOP)
    if and_remove and seen.container is not None:
        steps.append(Step.REMOVE)
    if seen.has_config:
        steps.append(Step.DROP_CONFIGURATION)
    return tuple(steps)


def _remove_rest(seen: Seen) -> tuple[Step, ...]:
    steps: list[Step] = []
    if seen.has_network:
        steps.append(Step.REMOVE_NETWORK)
    if seen.has_workspace:
        steps.append(Step.REMOVE_WORKSPACE)
    return (*steps, Step.VERIFY_GONE, Step.ARCHIVE)
