"""Combine the engine's listings and inspections into what exists of each tenant. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from zcplatform.core.workload import Program, TenantRef
from zcplatform.engines.docker.answers import ALIVE, ContainerSeen, DockerNetwork
from zcplatform.engines.seen import Address, NetworkSeen, TenantSeen, WorkloadSeen
from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT, LABEL_THROWAWAY, Names, TenantId


def owner(names: Names, labels: Mapping[str, str], name: str) -> TenantRef | None:
    """Return the tenant that an object belongs to, by its labels and its name. None if the two disagree, or if the object is not of this installation."""
    tenant_id, slug = labels.get(LABEL_TENANT), name.removeprefix(f"{names.instance}-")
    if labels.get(LABEL_INSTANCE) != names.instance or not tenant_id or LABEL_THROWAWAY in labels or name != names.container(slug):
        return None
    return TenantRef(TenantId(tenant_id), slug)


def workload(names: Names, program: Program, slug: str, found: ContainerSeen) -> WorkloadSeen:
    is_alive, port = found.state in ALIVE, found.ports.get(program.port)
    return WorkloadSeen(
        ref=found.id,
        is_alive=is_alive,
        is_running=found.state == "running",
        image_id=found.image_id,
        marks=found.labels,
        exit_code=found.exit_code,
        was_oom_killed=found.oom_killed,
        address=Address("127.0.0.1", port) if is_alive and port is not None else None,
        direct=Address(found.address, program.port) if is_alive and found.address else None,
        is_isolated=found.networks == (names.network(slug),),
        limits=found.limits,
    )


def network(found: DockerNetwork) -> NetworkSeen:
    return NetworkSeen(found.id, found.labels)


def tenants(
    names: Names, program: Program, containers: Iterable[ContainerSeen], networks: Iterable[DockerNetwork]
) -> dict[TenantRef, TenantSeen]:
    found: dict[TenantRef, TenantSeen] = {}
    for container in containers:
        if (ref := owner(names, container.labels, container.name)) is not None:
            found[ref] = replace(found.get(ref, TenantSeen()), workload=workload(names, program, ref.slug, container))
    for one in networks:
        if (ref := owner(names, one.labels, one.name)) is not None:
            found[ref] = replace(found.get(ref, TenantSeen()), network=network(one))
    return found
