"""The steps: each may be run twice, be killed before or after, and finds out itself what is already there.

A step gets a snapshot loaded a moment ago and acts through adapters; whatever it learns it records with an update that is guarded by the
generation. It raises PlatformError when it could not be done; the next round is the retry.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from zcplatform import clock
from zcplatform.adapters import files, host
from zcplatform.core import images as image_rules
from zcplatform.core.audit import Entry
from zcplatform.core.container import STOP_TIMEOUT_S
from zcplatform.core.network import network_body
from zcplatform.core.plan import Step
from zcplatform.core.tenant import EDGE
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.ids import LABEL_INSTANCE, LABEL_SPEC, LABEL_TENANT, TenantId
from zcplatform.store import allocations, audit, drifts, events, operations, secrets, tenants
from zcplatform.store.db import Tx
from zcplatform.worker.configuration import configuration_check
from zcplatform.worker.configuration.writing import configuration, drop_configuration
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.agent_health import health
from zcplatform.worker.reconcile.allocation import allocate
from zcplatform.worker.reconcile.live_limits import restore_limits
from zcplatform.worker.reconcile.recording import record_seen, record_verified
from zcplatform.worker.reconcile.snapshot import Superseded, TenantSnapshot, body

VERIFY_S = 5.0


async def firewall(deps: Deps, _: TenantSnapshot) -> None:
    await deps.firewall.ensure()


async def network(deps: Deps, snapshot: TenantSnapshot) -> None:
    """A network of our name with another tenant's label, or of a stranger, is never touched."""
    wanted = _network_body(deps, snapshot)
    found = await deps.docker.network(wanted["Name"])
    if found is not None:
        _check_ours(deps, snapshot.tenant.id, found.labels, f"network `{found.name}`", "network.foreign")
        return
    await asyncio.to_thread(host.remove_bridge, deps.names.bridge(snapshot.require_allocation().subnet))
    try:
        await deps.docker.create_network(wanted)
    except StepFailed as error:
        if error.code == "network.subnet_taken":
            at, taken = clock.text(clock.now()), snapshot.require_allocation().subnet
            await deps.database.write(lambda tx: allocations.block(tx, "subnet", taken, at))
        raise


def _network_body(deps: Deps, snapshot: TenantSnapshot) -> dict[str, Any]:
    subnet = snapshot.require_allocation().subnet
    return network_body(deps.names, snapshot.tenant.id, snapshot.tenant.slug, subnet, deps.settings.subnet_network)


def network_spec(deps: Deps, snapshot: TenantSnapshot) -> str:
    """The label of the network that would be made now."""
    return str(_network_body(deps, snapshot)["Labels"][LABEL_SPEC])


async def workspace(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Claimed for the tenant first: a row that took another one's slug gets neither its files nor their removal."""
    await _claim(deps, snapshot)
    await asyncio.to_thread(files.workspace_create, deps.settings.tenants_dir, snapshot.tenant.slug, snapshot.require_allocation().uid)


async def _claim(deps: Deps, snapshot: TenantSnapshot) -> None:
    owner = await asyncio.to_thread(files.workspace_claim, deps.settings.tenants_dir, snapshot.tenant.slug, snapshot.tenant.id)
    if owner != snapshot.tenant.id:
        raise StepFailed(
            "workspace.foreign", f"The files of `{snapshot.tenant.slug}` belong to tenant {owner}", "nothing of them is touched"
        )


async def unroute(deps: Deps, snapshot: TenantSnapshot) -> None:
    """The name leads to the page for stopped tenants from here on. With the edge down nothing leads anywhere; it is told when it is back."""
    await record_seen(deps, snapshot, {"seen_route_port": None, "seen_verified": 0})
    try:
        await deps.edge.apply()
    except PlatformError as error:
        if error.code not in EDGE:
            raise


async def stop(deps: Deps, snapshot: TenantSnapshot) -> None:
    container = await deps.docker.container(deps.names.container(snapshot.tenant.slug))
    if container is not None:
        _check_ours(deps, snapshot.tenant.id, container.labels, f"container `{container.name}`", "container.foreign")
        await deps.docker.stop(container.id, STOP_TIMEOUT_S)
    await record_seen(deps, snapshot, {"seen_container": "stopped" if container else "absent", "seen_healthy": 0, "seen_healthy_at": None})


async def remove(deps: Deps, snapshot: TenantSnapshot) -> None:
    container = await deps.docker.container(deps.names.container(snapshot.tenant.slug))
    if container is not None:
        _check_ours(deps, snapshot.tenant.id, container.labels, f"container `{container.name}`", "container.foreign")
        await deps.docker.remove(container.id)
    await record_seen(deps, snapshot, {"seen_container": "absent", "seen_healthy": 0, "seen_healthy_at": None})


async def image(deps: Deps, snapshot: TenantSnapshot) -> None:
    """The image must be there, and be one that the root-owned settings allow; it is never pulled here."""
    engine_id = snapshot.image.image_id if snapshot.image else None
    found = await deps.docker.image(engine_id) if engine_id else None
    if found is None:
        name = snapshot.image.reference if snapshot.image else "no image"
        raise StepFailed(
            "image.missing",
            f"The image of `{snapshot.tenant.slug}` ({name}) is not on this host",
            "zcplatform images list, then prepare it again",
        )
    if not image_rules.may_run(deps.settings.instance, found.labels, found.digests, deps.settings.image_repositories):
        raise StepFailed(
            "image.not_allowed", f"The settings do not allow image {engine_id} for `{snapshot.tenant.slug}`", "docs/how-to/images.md"
        )


async def container(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Create; a container of our name is adopted when it is exactly what would be created, else replaced."""
    await _claim(deps, snapshot)
    name = deps.names.container(snapshot.tenant.slug)
    wanted = body(deps.settings, deps.names, snapshot)
    found = await deps.docker.container(name)
    if found is not None:
        _check_ours(deps, snapshot.tenant.id, found.labels, f"container `{name}`", "container.foreign")
        if wanted["Labels"].items() <= found.labels.items():  # the engine adds those of the image
            return
        await deps.docker.remove(found.id)
    await deps.docker.create(name, wanted)


async def limits(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Given back while it runs; where the engine can not (it uses more memory than it may), the container goes, and the next round makes another."""
    found = await deps.docker.container(deps.names.container(snapshot.tenant.slug))
    if found is None:
        return
    _check_ours(deps, snapshot.tenant.id, found.labels, f"container `{found.name}`", "container.foreign")
    if not await restore_limits(deps, snapshot, found):
        await image(deps, snapshot)  # looked for before anything that serves is taken away
        await unroute(deps, snapshot)
        await stop(deps, snapshot)
        await remove(deps, snapshot)
        raise Superseded  # what was planned counted on this container


async def start(deps: Deps, snapshot: TenantSnapshot) -> None:
    if not deps.firewall.stands:
        await deps.firewall.ensure()
    found = await deps.docker.container(deps.names.container(snapshot.tenant.slug))
    if found is None:
        raise StepFailed("container.gone", f"The container of `{snapshot.tenant.slug}` was removed in the middle")
    try:
        await deps.docker.start(found.id)
    except StepFailed as error:
        if error.code == "container.port_taken":
            at, port = clock.text(clock.now()), snapshot.port
            await deps.database.write(lambda tx: allocations.block(tx, "port", port, at))
        raise
    await record_seen(deps, snapshot, {"seen_container": "running", "seen_healthy": 0, "seen_healthy_at": None, "seen_probe_failures": 0})


async def route(deps: Deps, snapshot: TenantSnapshot) -> None:
    await record_seen(deps, snapshot, {"seen_route_port": snapshot.port, "seen_verified": 0})
    await deps.edge.apply()


async def verify(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Through the edge, as a visitor would, until our marker names this tenant."""
    name = f"{snapshot.tenant.slug}.{deps.settings.domain}"
    deadline = asyncio.get_running_loop().time() + VERIFY_S
    while (marker := await deps.caddy.marker(name)) != snapshot.tenant.id:
        if asyncio.get_running_loop().time() > deadline:
            raise StepFailed(
                "edge.not_verified",
                f"http://{name} leads to {marker or 'nothing of ours'} instead of `{snapshot.tenant.slug}`",
                "docs/reference/edge.md",
            )
        await asyncio.sleep(0.05)
    await record_verified(deps, snapshot)


async def remove_network(deps: Deps, snapshot: TenantSnapshot) -> None:
    found = await deps.docker.network(deps.names.network(snapshot.tenant.slug))
    if found is not None:
        _check_ours(deps, snapshot.tenant.id, found.labels, f"network `{found.name}`", "network.foreign")
        await deps.docker.remove_network(found.id)
    if snapshot.allocation is not None:
        await asyncio.to_thread(host.remove_bridge, deps.names.bridge(snapshot.allocation.subnet))


async def remove_workspace(deps: Deps, snapshot: TenantSnapshot) -> None:
    await _claim(deps, snapshot)
    await asyncio.to_thread(files.workspace_remove, deps.settings.tenants_dir, snapshot.tenant.slug)


async def verify_gone(deps: Deps, snapshot: TenantSnapshot) -> None:
    """Look for anything that is left, everywhere a tenant leaves something."""
    await configuration_check.clear(deps, snapshot.tenant)
    left = [
        thing.name for thing in await deps.docker.containers(deps.settings.instance) if thing.labels.get(LABEL_TENANT) == snapshot.tenant.id
    ]
    left += [
        thing.name for thing in await deps.docker.networks(deps.settings.instance) if thing.labels.get(LABEL_TENANT) == snapshot.tenant.id
    ]
    if snapshot.tenant.slug in files.config_mounts(deps.settings.config_dir):
        left.append("its configuration")
    if files.workspace_exists(deps.settings.tenants_dir, snapshot.tenant.slug):
        left.append("its workspace")
    await deps.edge.apply()
    if left:
        raise StepFailed("tenant.leftover", f"Of `{snapshot.tenant.slug}` there is still: {', '.join(left)}", "the next attempt removes it")


async def archive(deps: Deps, snapshot: TenantSnapshot) -> None:
    """The last step: numbers begin to rest, secrets and their key are destroyed, the row is history."""
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

    for known in [key for key in deps.unsupported_limits if key[0] == snapshot.tenant.id]:
        del deps.unsupported_limits[known]
    await asyncio.to_thread(files.workspace_unclaim, deps.settings.tenants_dir, snapshot.tenant.slug)
    await deps.database.write(write)


def _check_ours(deps: Deps, tenant_id: TenantId, labels: Mapping[str, str], what: str, code: str) -> None:
    if labels.get(LABEL_INSTANCE) != deps.settings.instance or labels.get(LABEL_TENANT) != tenant_id:
        raise StepFailed(
            code, f"There is a {what} that is not this tenant's", "remove or rename it; the platform touches nothing that is not its own"
        )


STEPS: Mapping[Step, Callable[[Deps, TenantSnapshot], Awaitable[None]]] = {
    Step.ALLOCATE: allocate,
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
