"""Observe what exists of a tenant, as `core.plan` needs it, and detect containers that ended by themselves."""

from dataclasses import replace

from zcplatform import clock
from zcplatform.core import backoff
from zcplatform.core.plan import ContainerFacts, Seen
from zcplatform.core.tenant import Wanted
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import Differences, Silence, TenantSeen, WorkloadSeen
from zcplatform.errors import StepFailed
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile import start_boost
from zcplatform.worker.reconcile.agent_health import exited
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import TenantSnapshot


async def look_at(deps: Deps, snapshot: TenantSnapshot) -> TenantSeen:
    """Inspect one tenant. Raises EngineUnreachable if the engine is silent, from which nothing is concluded."""
    place = deps.place(snapshot)
    async with deps.inspect_slots:
        seen = await place.look_at(snapshot.ref)
    if isinstance(seen, Silence):
        raise EngineUnreachable(seen.detail, seen.hint)
    deps.upstreams.saw(place, snapshot.ref, seen)
    return seen


async def observe(deps: Deps, snapshot: TenantSnapshot) -> Seen:
    """Raises EngineUnreachable, and StepFailed for a container that ended by itself."""
    seen = await look_at(deps, snapshot)
    await _note_crash(deps, snapshot, seen.workload)
    return facts(deps, snapshot, seen, firewall_stands=deps.place(snapshot).firewall_stands)


def facts(deps: Deps, snapshot: TenantSnapshot, seen: TenantSeen, *, firewall_stands: bool) -> Seen:
    """Convert the observation for `core.plan`. Only a tenant that should run is compared with its desired workload."""
    tenant, files = snapshot.tenant, seen.files
    differences = _differences(deps, snapshot, seen)
    upstream = deps.place(snapshot).dial(seen.workload) if seen.workload is not None else None
    return Seen(
        is_allocated=snapshot.allocation is not None,
        firewall_stands=firewall_stands,
        has_network=seen.network is not None,
        network_is_current=not differences.network_is_other,
        has_workspace=files.has_workspace,
        workspace_is_whole=snapshot.allocation is not None and files.workspace_owner == snapshot.allocation.uid,
        has_config=files.configuration is not None,
        config_is_current=_config_is_current(snapshot, files.configuration),
        container=_container(seen.workload, differences),
        is_healthy=bool(tenant.seen_healthy),
        is_routed=tenant.seen_upstream is not None,
        route_is_current=upstream is not None and tenant.seen_upstream == upstream,
        is_verified=bool(tenant.seen_verified),
        is_waiting=is_waiting(snapshot),
        needs_check=tenant.needs_check,
    )


def _differences(deps: Deps, snapshot: TenantSnapshot, seen: TenantSeen) -> Differences:
    """Without an image or numbers there is nothing to compare with. Raises StepFailed for rows that describe no possible workload: what runs
    is left alone."""
    if snapshot.tenant.effective_wanted != Wanted.RUNNING:
        return Differences()
    if snapshot.allocation is None or snapshot.image is None or snapshot.image.image_id is None:
        return Differences(is_other=True, network_is_other=snapshot.allocation is None or seen.network is None)
    try:
        found = deps.place(snapshot).compare(snapshot.workload, seen)
        if found.limits and deps.boosts.has(snapshot.tenant.id) and start_boost.explains(deps, snapshot, seen):
            return replace(found, limits={})
        return found
    except ValueError as error:
        raise StepFailed("tenant.invalid", f"Tenant `{snapshot.tenant.slug}` cannot have such a container: {error}") from None


def _config_is_current(snapshot: TenantSnapshot, configuration: str | None) -> bool:
    if configuration is None or snapshot.tenant.effective_wanted != Wanted.RUNNING:
        return False
    return snapshot.tenant.seen_config == f"{configuration}.{snapshot.config_mark}"


def _container(workload: WorkloadSeen | None, differences: Differences) -> ContainerFacts | None:
    if workload is None:
        return None
    is_current = not differences.is_other and workload.is_isolated
    return ContainerFacts(workload.is_alive, is_current, has_wanted_limits=not is_current or not differences.limits)


def is_waiting(snapshot: TenantSnapshot) -> bool:
    """Whether the last attempt failed and the next one is not due yet."""
    return not backoff.is_due(snapshot.tenant.next_attempt_at, clock.now())


async def _note_crash(deps: Deps, snapshot: TenantSnapshot, workload: WorkloadSeen | None) -> None:
    """Delay the next start of a container that ended by itself, longer each time. Raises the error that reports it."""
    tenant = snapshot.tenant
    settled = tenant.effective_wanted == Wanted.RUNNING and tenant.seen_generation == tenant.generation
    if not settled or tenant.seen_container != "running" or not tenant.seen_healthy:
        return
    if workload is None or workload.is_alive:
        return
    error = await exited(deps, snapshot, workload.exit_code, oom=workload.was_oom_killed)
    await record_seen(deps, snapshot, {"seen_container": "stopped", "seen_healthy": 0, "seen_healthy_at": None})
    raise error
