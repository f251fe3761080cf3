"""The steps. Each can run twice and be killed at any point, because it checks what already exists.

A step gets a fresh snapshot, acts through the tenant's place, and records what it observed with an update that is guarded by the generation. It
raises PlatformError if it fails; the next round is the retry. Steps that stop or remove need only the tenant's id and slug.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from zcplatform import clock
from zcplatform.core import images as image_rules
from zcplatform.core.audit import Entry
from zcplatform.core.plan import Step
from zcplatform.core.tenant import EDGE
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.store import allocations, audit, drifts, events, operations, secrets, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.configuration import configuration_check
from zcplatform.worker.configuration.writing import configuration, drop_configuration
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile import allocation, start_boost
from zcplatform.worker.reconcile.agent_health import health
from zcplatform.worker.reconcile.live_limits import restore_limits
from zcplatform.worker.reconcile.observation import look_at
from zcplatform.worker.reconcile.recording import record_seen, record_verified
from zcplatform.worker.reconcile.snapshot import Superseded, TenantSnapshot

VERIFY_S = 5.0


async def firewall(deps: Deps, snapshot: TenantSnapshot) -> None:
    await deps.place(snapshot).firewall()


async def network(deps: Deps, snapshot: TenantSnapshot) -> None:
    try:
        await deps.place(snapshot).put_network(snapshot.workload)
    except StepFailed as error:
        if error.code == "network.subnet_taken":
            await allocation.block(deps, "subnet", snapshot.require_allocation().subnet)
        raise


async def workspace(deps: Deps, snapshot: TenantSnapshot) -> None:
    await deps.place(snapshot).put_workspace(snapshot.ref, snapshot.require_allocation().uid)


async def unroute(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Point the tenant's address to the page for stopped tenants. An edge that is down serves nothing, and gets the change when it is back."""
    await record_seen(deps, snapshot, {"seen_upstream": None, "seen_verified": 0})
    try:
        await deps.edge.apply()
    except PlatformError as error:
        if error.code not in EDGE:
            raise


async def stop(deps: Deps, snapshot: TenantSnapshot) -> None:
    was_there = await deps.place(snapshot).stop(snapshot.ref)
    seen = {"seen_container": "stopped" if was_there else "absent", "seen_healthy": 0, "seen_healthy_at": None}
    await record_seen(deps, snapshot, seen)


async def remove(deps: Deps, snapshot: TenantSnapshot) -> None:
    await _note_networks(deps, snapshot)
    await deps.place(snapshot).remove(snapshot.ref)
    await record_seen(deps, snapshot, {"seen_container": "absent", "seen_healthy": 0, "seen_healthy_at": None})


async def _note_networks(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Record, in the audit log and as an event, that a container's networks were changed: it could reach more than it may."""
    seen = await look_at(deps, snapshot)
    if seen.workload is None or seen.workload.is_isolated:
        return
    tenant, at = snapshot.tenant, clock.text(clock.now())

    def write(tx: Tx) -> None:
        audit.append(tx, Entry(at, "system:reconcile", "tenant.network", tenant.id, tenant.id, changes={"network": ["other", "own"]}))
        events.append(tx, at, "tenant.network_restored", tenant_id=tenant.id, slug=tenant.slug)

    await deps.database.write(write)


async def image(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Check that the image exists and that the root-owned settings allow it; it is never pulled here. If an agent runs, also check that the
    engine would accept the workload, before what serves is removed for it."""
    place, slug = deps.place(snapshot), snapshot.tenant.slug
    engine_id = snapshot.image.image_id if snapshot.image else None
    found = await place.image(engine_id) if engine_id else None
    if found is None:
        name = snapshot.image.reference if snapshot.image else "no image"
        raise StepFailed(
            "image.missing", f"The image of `{slug}` ({name}) is not on this machine", "zcplatform images list, then prepare it again"
        )
    if not image_rules.may_run(deps.settings.instance, found.labels, found.digests, deps.settings.image_repositories):
        raise StepFailed("image.not_allowed", f"The settings do not allow image {engine_id} for `{slug}`", "docs/how-to/images.md")
    if snapshot.tenant.seen_container == "running":
        await place.check(snapshot.workload)


async def container(deps: Deps, snapshot: TenantSnapshot) -> None:
    """The workspace is claimed first, so that a row with another tenant's slug gets neither its files nor its name."""
    place = deps.place(snapshot)
    await place.put_workspace(snapshot.ref, snapshot.require_allocation().uid)
    await place.put(snapshot.workload)


async def limits(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Restore limits while the container runs. If the engine cannot (it uses more memory than allowed), the container is removed and the next round
    creates another."""
    if not await restore_limits(deps, snapshot):
        await image(deps, snapshot)  # checked before anything that serves is removed
        await unroute(deps, snapshot)
        await stop(deps, snapshot)
        await remove(deps, snapshot)
        raise Superseded  # the plan relied on this container


async def start(deps: Deps, snapshot: TenantSnapshot) -> None:
    try:
        await start_boost.begin(deps, snapshot)
        await deps.place(snapshot).start(snapshot.ref)
    except PlatformError as error:
        start_boost.end(deps, snapshot.tenant.id)
        if error.code == "container.port_taken":
            await allocation.block(deps, "port", snapshot.require_allocation().port)
        raise
    seen = {"seen_container": "running", "seen_healthy": 0, "seen_healthy_at": None, "seen_probe_failures": 0}
    await record_seen(deps, snapshot, seen)


async def route(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Route the tenant's address to where the place reports its workload, never to an address from a row."""
    seen = await look_at(deps, snapshot)
    upstream = deps.place(snapshot).dial(seen.workload) if seen.workload is not None else None
    if upstream is None:
        raise StepFailed("container.gone", f"The container of `{snapshot.tenant.slug}` ended before its name could lead to it")
    await record_seen(deps, snapshot, {"seen_upstream": upstream, "seen_verified": 0})
    await deps.edge.apply()


async def verify(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Visit the name through the edge until the marker in the answer names this tenant."""
    name = f"{snapshot.tenant.slug}.{deps.settings.domain}"
    deadline = asyncio.get_running_loop().time() + VERIFY_S
    while (marker := await deps.caddy.marker(name)) != snapshot.tenant.id:
        if asyncio.get_running_loop().time() > deadline:
            raise StepFailed(
                "edge.not_verified",
                f"http://{name} leads to {marker or 'nothing of this platform'} instead of `{snapshot.tenant.slug}`",
                "docs/reference/edge.md",
            )
        await asyncio.sleep(0.05)
    await record_verified(deps, snapshot)


async def remove_network(deps: Deps, snapshot: TenantSnapshot) -> None:
    subnet = snapshot.allocation.subnet if snapshot.allocation is not None else None
    await deps.place(snapshot).remove_network(snapshot.ref, subnet)


async def remove_workspace(deps: Deps, snapshot: TenantSnapshot) -> None:
    await deps.place(snapshot).remove_workspace(snapshot.ref)


async def verify_gone(deps: Deps, snapshot: TenantSnapshot) -> None:
    left = await deps.place(snapshot).remains(snapshot.ref)
    await deps.edge.apply()
    if left:
        detail = f"Not everything of `{snapshot.tenant.slug}` is removed yet: {', '.join(left)}"
        raise StepFailed("tenant.leftover", detail, "Nothing to do: the next attempt removes it")


async def archive(deps: Deps, snapshot: TenantSnapshot) -> None:
    """The last step: put its numbers in quarantine, delete its secrets and their key, and mark the row as deleted."""
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        changes = {**tenants.NO_ERROR, "seen_generation": snapshot.tenant.generation, "deleted_at": at}
        if not tenants.record_seen(tx, snapshot.tenant.id, snapshot.tenant.generation, at, changes):
            raise Superseded
        allocations.release(tx, snapshot.tenant.id, at)
        secrets.destroy(tx, snapshot.tenant.id)
        drifts.forget(tx, snapshot.tenant.id)
        events.append(tx, at, "tenant.deleted", tenant_id=snapshot.tenant.id, slug=snapshot.tenant.slug)
        audit.append(tx, Entry(at, "system:reconcile", "tenant.deleted", snapshot.tenant.id, snapshot.tenant.id))
        if snapshot.operation is not None:
            operations.end_step(tx, snapshot.operation.id, Step.ARCHIVE, at)
            operations.succeed(tx, snapshot.operation.id, at)

    await deps.place(snapshot).release_workspace(snapshot.ref)
    await deps.database.write(write)


STEPS: Mapping[Step, Callable[[Deps, TenantSnapshot], Awaitable[None]]] = {
    Step.ALLOCATE: allocation.allocate,
    Step.FIREWALL: firewall,
    Step.NETWORK: network,
    Step.WORKSPACE: workspace,
    Step.CHECK: configuration_check.check,
    Step.UNROUTE: unroute,
    Step.STOP: stop,
    Step.REMOVE: remove,
    Step.CONFIGURATION: configuration,
    Step.IMAGE: image,
    Step.CONTAINER: container,
    Step.LIMITS: limits,
    Step.START: start,
    Step.HEALTH: health,
    Step.ROUTE: route,
    Step.VERIFY: verify,
    Step.DROP_CONFIGURATION: drop_configuration,
    Step.REMOVE_NETWORK: remove_network,
    Step.REMOVE_WORKSPACE: remove_workspace,
    Step.VERIFY_GONE: verify_gone,
    Step.ARCHIVE: archive,
}
