"""The steps: each may be run twice, be killed before or after, and finds out itself what is already there.

A step gets a case loaded a moment ago and acts through adapters; whatever it learns it records with an update that is guarded by the
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
from zcplatform.core.network import capacity, network_body
from zcplatform.core.plan import Step
from zcplatform.core.rest import rested_since
from zcplatform.core.tenant import EDGE
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.ids import LABEL_INSTANCE, LABEL_SPEC, LABEL_TENANT, TenantId
from zcplatform.store import allocations, audit, drifts, events, operations, secrets, tenants
from zcplatform.store.db import Tx
from zcplatform.worker import checking
from zcplatform.worker.agents import health
from zcplatform.worker.case import Case, Superseded, body
from zcplatform.worker.configuration import configuration, drop_configuration
from zcplatform.worker.limits import give_back
from zcplatform.worker.recording import saw, verified
from zcplatform.worker.tools import Tools

VERIFY_S = 5.0


async def allocate(tools: Tools, case: Case) -> None:
    """Port, uid and subnet in one transaction. A port that a stranger on the host uses is passed over."""
    at = clock.text(clock.now())
    ports, uids = tools.settings.port_span, tools.settings.uid_span
    subnets = capacity(tools.settings.subnet_network)

    def take(tx: Tx) -> int:
        for kind, first, last in (
            ("uid", uids.first, uids.last),
            ("subnet", 0, subnets - 1),
            ("port", ports.first, ports.last),
        ):
            number = allocations.take(tx, case.tenant.id, kind, first, last, rested_since(kind, at))
            if number is None:
                raise StepFailed("host.exhausted", f"No free {kind} is left on this host", f"widen `{kind}s` in the settings file")
        return number  # type: ignore[return-value]

    while not host.port_free(port := await tools.database.write(take)):
        taken = port
        await tools.database.write(lambda tx: allocations.block(tx, "port", taken, at))  # noqa: B023


async def firewall(tools: Tools, _: Case) -> None:
    await tools.firewall.ensure()


async def network(tools: Tools, case: Case) -> None:
    """A network of our name with another tenant's label, or of a stranger, is never touched."""
    wanted = _network_body(tools, case)
    found = await tools.docker.network(wanted["Name"])
    if found is not None:
        _check_ours(tools, case.tenant.id, found.labels, f"network `{found.name}`", "network.foreign")
        return
    await asyncio.to_thread(host.remove_bridge, tools.names.bridge(case.needs_allocation().subnet))
    try:
        await tools.docker.create_network(wanted)
    except StepFailed as error:
        if error.code == "network.subnet_taken":
            at, taken = clock.text(clock.now()), case.needs_allocation().subnet
            await tools.database.write(lambda tx: allocations.block(tx, "subnet", taken, at))
        raise


def _network_body(tools: Tools, case: Case) -> dict[str, Any]:
    subnet = case.needs_allocation().subnet
    return network_body(tools.names, case.tenant.id, case.tenant.slug, subnet, tools.settings.subnet_network)


def network_spec(tools: Tools, case: Case) -> str:
    """The label of the network that would be made now."""
    return str(_network_body(tools, case)["Labels"][LABEL_SPEC])


async def workspace(tools: Tools, case: Case) -> None:
    """Claimed for the tenant first: a row that took another one's slug gets neither its files nor their removal."""
    await _claim(tools, case)
    await asyncio.to_thread(files.workspace_create, tools.settings.tenants_dir, case.tenant.slug, case.needs_allocation().uid)


async def _claim(tools: Tools, case: Case) -> None:
    owner = await asyncio.to_thread(files.workspace_claim, tools.settings.tenants_dir, case.tenant.slug, case.tenant.id)
    if owner != case.tenant.id:
        raise StepFailed("workspace.foreign", f"The files of `{case.tenant.slug}` belong to tenant {owner}", "nothing of them is touched")


async def unroute(tools: Tools, case: Case) -> None:
    """The name leads to the page for stopped tenants from here on. With the edge down nothing leads anywhere; it is told when it is back."""
    await saw(tools, case, {"seen_route_port": None, "seen_verified": 0})
    try:
        await tools.edge.apply()
    except PlatformError as error:
        if error.code not in EDGE:
            raise


async def stop(tools: Tools, case: Case) -> None:
    container = await tools.docker.container(tools.names.container(case.tenant.slug))
    if container is not None:
        _check_ours(tools, case.tenant.id, container.labels, f"container `{container.name}`", "container.foreign")
        await tools.docker.stop(container.id, STOP_TIMEOUT_S)
    await saw(tools, case, {"seen_container": "stopped" if container else "absent", "seen_healthy": 0, "seen_healthy_at": None})


async def remove(tools: Tools, case: Case) -> None:
    container = await tools.docker.container(tools.names.container(case.tenant.slug))
    if container is not None:
        _check_ours(tools, case.tenant.id, container.labels, f"container `{container.name}`", "container.foreign")
        await tools.docker.remove(container.id)
    await saw(tools, case, {"seen_container": "absent", "seen_healthy": 0, "seen_healthy_at": None})


async def image(tools: Tools, case: Case) -> None:
    """The image must be there, and be one that the root-owned settings allow; it is never pulled here."""
    engine_id = case.image.image_id if case.image else None
    found = await tools.docker.image(engine_id) if engine_id else None
    if found is None:
        name = case.image.reference if case.image else "no image"
        raise StepFailed(
            "image.missing",
            f"The image of `{case.tenant.slug}` ({name}) is not on this host",
            "zcplatform images list, then prepare it again",
        )
    if not image_rules.may_run(tools.settings.instance, found.labels, found.digests, tools.settings.image_repositories):
        raise StepFailed(
            "image.not_allowed", f"The settings do not allow image {engine_id} for `{case.tenant.slug}`", "docs/how-to/images.md"
        )


async def container(tools: Tools, case: Case) -> None:
    """Create; a container of our name is adopted when it is exactly what would be created, else replaced."""
    await _claim(tools, case)
    name = tools.names.container(case.tenant.slug)
    wanted = body(tools.settings, tools.names, case)
    found = await tools.docker.container(name)
    if found is not None:
        _check_ours(tools, case.tenant.id, found.labels, f"container `{name}`", "container.foreign")
        if wanted["Labels"].items() <= found.labels.items():  # the engine adds those of the image
            return
        await tools.docker.remove(found.id)
    await tools.docker.create(name, wanted)


async def limits(tools: Tools, case: Case) -> None:
    """Given back while it runs; where the engine can not (it uses more memory than it may), the container goes, and the next round makes another."""
    found = await tools.docker.container(tools.names.container(case.tenant.slug))
    if found is None:
        return
    _check_ours(tools, case.tenant.id, found.labels, f"container `{found.name}`", "container.foreign")
    if not await give_back(tools, case, found):
        await image(tools, case)  # looked for before anything that serves is taken away
        await unroute(tools, case)
        await stop(tools, case)
        await remove(tools, case)
        raise Superseded  # what was planned counted on this container


async def start(tools: Tools, case: Case) -> None:
    if not tools.firewall.stands:
        await tools.firewall.ensure()
    found = await tools.docker.container(tools.names.container(case.tenant.slug))
    if found is None:
        raise StepFailed("container.gone", f"The container of `{case.tenant.slug}` was removed in the middle")
    try:
        await tools.docker.start(found.id)
    except StepFailed as error:
        if error.code == "container.port_taken":
            at, port = clock.text(clock.now()), case.port
            await tools.database.write(lambda tx: allocations.block(tx, "port", port, at))
        raise
    await saw(tools, case, {"seen_container": "running", "seen_healthy": 0, "seen_healthy_at": None, "seen_probe_failures": 0})


async def route(tools: Tools, case: Case) -> None:
    await saw(tools, case, {"seen_route_port": case.port, "seen_verified": 0})
    await tools.edge.apply()


async def verify(tools: Tools, case: Case) -> None:
    """Through the edge, as a visitor would, until our marker names this tenant."""
    name = f"{case.tenant.slug}.{tools.settings.domain}"
    deadline = asyncio.get_running_loop().time() + VERIFY_S
    while (marker := await tools.caddy.marker(name)) != case.tenant.id:
        if asyncio.get_running_loop().time() > deadline:
            raise StepFailed(
                "edge.not_verified",
                f"http://{name} leads to {marker or 'nothing of ours'} instead of `{case.tenant.slug}`",
                "docs/reference/edge.md",
            )
        await asyncio.sleep(0.05)
    await verified(tools, case)


async def remove_network(tools: Tools, case: Case) -> None:
    found = await tools.docker.network(tools.names.network(case.tenant.slug))
    if found is not None:
        _check_ours(tools, case.tenant.id, found.labels, f"network `{found.name}`", "network.foreign")
        await tools.docker.remove_network(found.id)
    if case.allocation is not None:
        await asyncio.to_thread(host.remove_bridge, tools.names.bridge(case.allocation.subnet))


async def remove_workspace(tools: Tools, case: Case) -> None:
    await _claim(tools, case)
    await asyncio.to_thread(files.workspace_remove, tools.settings.tenants_dir, case.tenant.slug)


async def prove(tools: Tools, case: Case) -> None:
    """Look for anything that is left, everywhere a tenant leaves something."""
    await checking.clear(tools, case.tenant)
    left = [
        thing.name for thing in await tools.docker.containers(tools.settings.instance) if thing.labels.get(LABEL_TENANT) == case.tenant.id
    ]
    left += [
        thing.name for thing in await tools.docker.networks(tools.settings.instance) if thing.labels.get(LABEL_TENANT) == case.tenant.id
    ]
    if case.tenant.slug in files.config_mounts(tools.settings.config_dir):
        left.append("its configuration")
    if files.workspace_exists(tools.settings.tenants_dir, case.tenant.slug):
        left.append("its workspace")
    await tools.edge.apply()
    if left:
        raise StepFailed("tenant.leftover", f"Of `{case.tenant.slug}` there is still: {', '.join(left)}", "the next attempt removes it")


async def forget(tools: Tools, case: Case) -> None:
    """The last step: numbers begin to rest, secrets and their key are destroyed, the row is history."""
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        changes = {**tenants.NO_ERROR, "seen_generation": case.tenant.generation, "deleted_at": at}
        if not tenants.record_seen(tx, case.tenant.id, case.tenant.generation, at, changes):
            raise Superseded
        allocations.release(tx, case.tenant.id, at)
        secrets.destroy(tx, case.tenant.id)
        drifts.forget(tx, case.tenant.id)
        events.append(tx, at, "tenant.deleted", tenant_id=case.tenant.id, slug=case.tenant.slug)
        audit.append(tx, Entry(at, "system:converge", "tenant.deleted", case.tenant.id, case.tenant.id))
        if case.operation is not None:
            operations.end_step(tx, case.operation.id, Step.FORGET, at)
            operations.succeed(tx, case.operation.id, at)

    for known in [key for key in tools.unkept if key[0] == case.tenant.id]:
        del tools.unkept[known]
    await asyncio.to_thread(files.workspace_unclaim, tools.settings.tenants_dir, case.tenant.slug)
    await tools.database.write(write)


def _check_ours(tools: Tools, tenant_id: TenantId, labels: Mapping[str, str], what: str, code: str) -> None:
    if labels.get(LABEL_INSTANCE) != tools.settings.instance or labels.get(LABEL_TENANT) != tenant_id:
        raise StepFailed(
            code, f"There is a {what} that is not this tenant's", "remove or rename it; the platform touches nothing that is not its own"
        )


STEPS: Mapping[Step, Callable[[Tools, Case], Awaitable[None]]] = {
    Step.ALLOCATE: allocate,
    Step.FIREWALL: firewall,
    Step.NETWORK: network,
    Step.WORKSPACE: workspace,
    Step.CHECK: checking.check,
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
    Step.PROVE: prove,
    Step.FORGET: forget,
}
