"""A machine in memory. It keeps the protocol's promises as far as its reports show them, and breaks calls on request (faults.py)."""

from collections.abc import AsyncGenerator, Callable, Mapping

from zcplatform.core import workload as rules
from zcplatform.core.workload import Task, TenantRef, Workload
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import (
    Address,
    Cleared,
    Differences,
    Facts,
    FilesSeen,
    Known,
    Look,
    NetworkSeen,
    Reading,
    Result,
    Silence,
    TenantSeen,
    Upstream,
    WorkloadSeen,
)
from zcplatform.engines.simulated import agent
from zcplatform.engines.simulated.faults import Fault, Faults, call
from zcplatform.engines.simulated.files import SimulatedFiles
from zcplatform.engines.simulated.images import SimulatedImages
from zcplatform.engines.simulated.world import LIMITS, Container, Remains, World
from zcplatform.errors import StepFailed, Unavailable
from zcplatform.ids import LOCAL, NodeId, TenantId

NETWORK = "network"
CPUS, MEMORY_BYTES = 8, 32 * 1024**3


class SimulatedPlace(SimulatedFiles, SimulatedImages):
    node_id: NodeId = LOCAL

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()

    @property
    def firewall_stands(self) -> bool:
        return self.world.firewall_stands

    # Observing

    async def look(self) -> Look | Silence:
        silence = self._silence("look")
        if silence is not None:
            return silence
        tenants = {ref: self._seen(remains, closely=False) for ref, remains in self.world.tenants.items() if not remains.is_nothing}
        files = {ref.slug: _files(remains) for ref, remains in self.world.tenants.items()}
        return Look(tenants, files, self.world.firewall_stands, self.world.trouble)

    async def look_at(self, tenant: TenantRef) -> TenantSeen | Silence:
        silence = self._silence("look_at")
        return silence or self._seen(self.world.tenants.get(tenant, Remains()), closely=True)

    def _silence(self, method: str) -> Silence | None:
        match self.faults.next(method):
            case Fault.SILENT | Fault.LOST | Fault.LIE | Fault.SLOW:
                return Silence("The simulated engine does not answer", "Start it again")
            case Fault.DIE_BEFORE | Fault.DIE_AFTER:
                self.faults.kill()
        return None

    def _seen(self, remains: Remains, *, closely: bool) -> TenantSeen:
        container = remains.container.seen(closely=closely) if remains.container is not None else None
        network = NetworkSeen(NETWORK, {NETWORK: str(remains.subnet)}) if remains.subnet is not None else None
        return TenantSeen(container, network, _files(remains))

    def compare(self, workload: Workload, seen: TenantSeen) -> Differences:
        rules.check(workload)
        network_is_other = seen.network is None or seen.network.marks[NETWORK] != str(workload.subnet)
        if seen.workload is None:
            return Differences(network_is_other=network_is_other)
        limits: dict[str, tuple[object, object]] = {}
        if seen.workload.limits is not None:
            wanted = _limits(workload)
            limits = {name: (seen.workload.limits[name], wanted[name]) for name in LIMITS if seen.workload.limits[name] != wanted[name]}
        return Differences(seen.workload.marks["spec"] != workload.spec_hash, network_is_other, limits)

    async def facts(self) -> Facts | Silence:
        return self._silence("facts") or Facts("simulated", CPUS, MEMORY_BYTES, limits_live=True, keeps_agents=True)

    async def readings(self) -> Mapping[TenantId, Reading] | Silence:
        silence = self._silence("readings")
        alive = [ref for ref, remains in self.world.tenants.items() if remains.container is not None and remains.container.is_alive]
        return silence or {ref.id: Reading(25_000_000, 1_000_000_000, 4) for ref in alive}

    # Workloads

    @call()
    async def check(self, workload: Workload) -> None:
        self._check(workload)

    def _check(self, workload: Workload) -> None:
        try:
            rules.check(workload)
        except ValueError as error:
            raise StepFailed("tenant.invalid", f"`{workload.tenant.slug}` cannot have such a container: {error}") from None
        if workload.cpu_millis > CPUS * 1_000 or workload.memory_bytes > MEMORY_BYTES:
            raise StepFailed("host.too_small", f"The plan of `{workload.tenant.slug}` gives more than this machine has", "change its plan")
        if workload.image_id not in self.world.images:
            raise StepFailed("image.missing", f"Image {workload.image_id} is not here", "prepare it again")

    @call()
    async def put(self, workload: Workload) -> None:
        self._check(workload)
        remains = self.world.of(workload.tenant)
        if remains.configuration is None or remains.workspace is None:
            raise StepFailed("container.mount_missing", f"`{workload.tenant.slug}` has no configuration or workspace to mount")
        found = remains.container
        if found is None or found.workload.spec_hash != workload.spec_hash:
            limits = _limits(workload)
            remains.container = Container(workload, f"container-{self.world.number()}", limits)

    @call()
    async def start(self, tenant: TenantRef) -> None:
        self.world.require_own(tenant, "container")
        remains = self.world.of(tenant)
        container = remains.container
        if container is None:
            raise StepFailed("container.gone", f"The container of `{tenant.slug}` is gone")
        if container.is_alive:
            return
        if not self.world.firewall_stands:
            raise StepFailed("firewall.missing", "The firewall does not stand: nothing is started")
        if remains.subnet is None:
            raise StepFailed("network.missing", f"The network of `{tenant.slug}` is gone")
        if container.workload.port in self.world.taken_ports or self.world.serving(Address("127.0.0.1", container.workload.port)):
            raise StepFailed("container.port_taken", f"Port {container.workload.port} is taken")
        container.is_alive, container.exit_code, container.was_oom_killed = True, None, False
        container.starts += 1
        container.log.append(b"the agent starts")
        if tenant.slug in self.world.crashing:
            container.log.append(b"Error: the simulated agent crashes on request")
            container.end(1)

    @call(false_answer=True)
    async def stop(self, tenant: TenantRef) -> bool:
        self.world.require_own(tenant, "container")
        container = self.world.of(tenant).container
        if container is not None and container.is_alive:
            container.end(0)
        return container is not None

    @call()
    async def remove(self, tenant: TenantRef) -> None:
        self.world.require_own(tenant, "container")
        self.world.of(tenant).container = None

    @call(false_answer={})
    async def set_limits(self, workload: Workload) -> Mapping[str, tuple[object, object]] | None:
        container = self.world.of(workload.tenant).container
        if container is None:
            return None
        wanted = _limits(workload)
        changed = {name: (container.limits[name], wanted[name]) for name in LIMITS if container.limits[name] != wanted[name]}
        container.limits = wanted
        return changed

    @call(false_answer=Result(0, "{}"))
    async def run_once(self, task: Task) -> Result:
        if task.image_id not in self.world.images:
            raise StepFailed("image.missing", f"Image {task.image_id} is not here", "prepare it again")
        return agent.run(task.command, is_rejected=task.subject in self.world.rejected)

    async def logs(
        self, tenant: TenantRef, *, tail: int = 200, since: int = 0, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """What is there; nothing follows."""
        del since, follow, timestamps
        container = self.world.tenants.get(tenant, Remains()).container
        for line in (container.log[-tail:] if tail else []) if container is not None else []:
            yield line

    # Network and firewall

    @call()
    async def put_network(self, workload: Workload) -> None:
        remains = self.world.of(workload.tenant)
        others = {other.subnet for ref, other in self.world.tenants.items() if ref != workload.tenant}
        if workload.subnet in others:
            raise StepFailed("network.subnet_taken", f"Subnet {workload.subnet} is in use by another network")
        if remains.subnet is None:
            remains.subnet = workload.subnet

    @call()
    async def remove_network(self, tenant: TenantRef, subnet: int | None) -> None:
        del subnet
        self.world.require_own(tenant, "network")
        remains = self.world.of(tenant)
        if remains.container is not None and remains.container.is_alive:
            raise StepFailed("network.in_use", f"The network of `{tenant.slug}` is in use")
        remains.subnet = None

    @call()
    async def firewall(self) -> None:
        self.world.firewall_stands = True

    async def free_port(self, port: int) -> bool:
        return port not in self.world.taken_ports

    async def taken_subnets(self) -> frozenset[int]:
        return frozenset()

    async def agent(self, tenant: TenantRef) -> Address:
        container = self.world.tenants.get(tenant, Remains()).container
        if container is None or not container.is_alive:
            raise Unavailable("agent.no_container", f"`{tenant.slug}` does not run", "start it")
        return Address("127.0.0.1", container.workload.port)

    async def port_leads(self, workload: Workload) -> bool | None:
        return self.world.serving(Address("127.0.0.1", workload.port)) is not None

    def dial(self, seen: WorkloadSeen) -> Upstream | None:
        return str(seen.address) if seen.address is not None else None

    def listener(self, seen: WorkloadSeen) -> str | None:
        del seen
        return None

    # The whole place

    async def remains(self, tenant: TenantRef) -> tuple[str, ...]:
        if self._silence("remains") is not None:
            raise EngineUnreachable("The simulated engine does not answer", "Start it again")
        found = self.world.tenants.get(tenant, Remains())
        parts = {
            "its container": found.container,
            "its network": found.subnet,
            "its configuration": found.configuration,
            "its workspace": found.workspace,
        }
        return tuple(name for name, part in parts.items() if part is not None)

    @call(false_answer=())
    async def sweep(self, known: Callable[[], Known], look: Look | None = None) -> tuple[str, ...]:
        del look
        listed = dict(self.world.tenants)
        tenants = known().tenants
        swept = [ref for ref, found in listed.items() if ref not in tenants and (found.container is not None or found.subnet is not None)]
        for ref in swept:
            found = self.world.tenants[ref]
            found.container, found.subnet = None, None
            if found.is_nothing and not found.is_claimed:
                del self.world.tenants[ref]
        return tuple(ref.slug for ref in swept)

    async def clear(self) -> Cleared:
        found = list(self.world.tenants.values())
        cleared = Cleared(
            sum(1 for each in found if each.container),
            sum(1 for each in found if each.subnet is not None),
            sum(1 for each in found if each.configuration),
        )
        for each in found:
            each.container, each.subnet, each.configuration = None, None, None
        self.world.firewall_stands = False
        return cleared


def _files(remains: Remains) -> FilesSeen:
    nonce = remains.configuration.nonce if remains.configuration is not None else None
    return FilesSeen(nonce, remains.workspace is not None, remains.workspace_owner)


def _limits(workload: Workload) -> dict[str, object]:
    return {name: getattr(workload, name) for name in LIMITS}
