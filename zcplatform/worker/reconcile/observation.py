"""Observes what exists of a tenant, as the plan needs it. Objects of others count as absent; the steps refuse to touch them."""

from collections.abc import Collection

from zcplatform import clock
from zcplatform.adapters import files
from zcplatform.core import backoff
from zcplatform.core.plan import ContainerFacts, Seen
from zcplatform.core.tenant import (
    Wanted,
)
from zcplatform.engines.docker.answers import ContainerSeen, NetworkSeen
from zcplatform.ids import LABEL_INSTANCE, LABEL_SPEC, LABEL_TENANT
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.agent_health import exited
from zcplatform.worker.reconcile.live_limits import drifted_limits
from zcplatform.worker.reconcile.recording import record_seen
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, is_current
from zcplatform.worker.reconcile.steps import network_spec

ALIVE = frozenset({"running", "paused", "restarting"})
"""A paused container has processes that hold the tenant's files: it has to be stopped like one that runs."""


async def observe(deps: Deps, snapshot: TenantSnapshot) -> Seen:
    async with deps.inspect_slots:
        container = await deps.docker.container(deps.names.container(snapshot.tenant.slug))
        network = await deps.docker.network(deps.names.network(snapshot.tenant.slug))
    await _note_crash(deps, snapshot, container)
    return facts(deps, snapshot, container, network)


def facts(
    deps: Deps,
    snapshot: TenantSnapshot,
    container: ContainerSeen | None,
    network: NetworkSeen | None,
    mounted: Collection[str] | None = None,
) -> Seen:
    """What was looked at, as the decision needs it. What is a stranger's counts as not there; the steps refuse to touch it.

    `mounted` are the slugs with a configuration mount, where somebody has looked already.
    """
    tenant = snapshot.tenant
    nonce = files.config_nonce(deps.settings.config_dir, tenant.slug, mounted)
    port = snapshot.allocation.port if snapshot.allocation else None
    current = (
        container is not None
        and _is_ours(deps, snapshot, container)
        and is_current(deps.settings, deps.names, snapshot, dict(container.labels))
    )
    return Seen(
        is_allocated=snapshot.allocation is not None,
        firewall_stands=deps.firewall.stands,
        has_network=network is not None and _is_ours(deps, snapshot, network),
        network_is_current=network is not None
        and snapshot.allocation is not None
        and network.labels.get(LABEL_SPEC) == network_spec(deps, snapshot),
        has_workspace=files.workspace_exists(deps.settings.tenants_dir, tenant.slug),
        workspace_is_whole=snapshot.allocation is not None
        and files.workspace_is_whole(deps.settings.tenants_dir, tenant.slug, snapshot.allocation.uid),
        has_config=nonce is not None,
        config_is_current=nonce is not None and tenant.seen_config == f"{nonce}.{snapshot.config_mark}",
        container=ContainerFacts(
            container.state in ALIVE, current, has_wanted_limits=not current or not drifted_limits(deps, snapshot, container)
        )
        if container is not None and _is_ours(deps, snapshot, container)
        else None,
        is_healthy=bool(tenant.seen_healthy),
        is_routed=tenant.seen_route_port is not None,
        route_is_current=port is not None and tenant.seen_route_port == port,
        is_verified=bool(tenant.seen_verified),
        is_waiting=is_waiting(snapshot),
        needs_check=tenant.needs_check,
    )


def is_waiting(snapshot: TenantSnapshot) -> bool:
    """An attempt failed and the next one is not due yet."""
    return not backoff.is_due(snapshot.tenant.next_attempt_at, clock.now())


def _is_ours(deps: Deps, snapshot: TenantSnapshot, thing: ContainerSeen | NetworkSeen) -> bool:
    return thing.labels.get(LABEL_INSTANCE) == deps.settings.instance and thing.labels.get(LABEL_TENANT) == snapshot.tenant.id


async def _note_crash(deps: Deps, snapshot: TenantSnapshot, container: ContainerSeen | None) -> None:
    """A container that ended without being asked to: the next start waits, longer each time. Raises the error that says so."""
    tenant = snapshot.tenant
    settled = tenant.effective_wanted == Wanted.RUNNING and tenant.seen_generation == tenant.generation
    if not settled or tenant.seen_container != "running" or not tenant.seen_healthy:
        return
    if container is None or not _is_ours(deps, snapshot, container) or container.state in ALIVE:
        return
    error = await exited(deps, snapshot, container.exit_code, oom=container.oom_killed)
    await record_seen(deps, snapshot, {"seen_container": "stopped", "seen_healthy": 0, "seen_healthy_at": None})
    raise error
