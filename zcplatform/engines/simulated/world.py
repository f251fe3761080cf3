"""The world of a simulated place: what exists of each tenant, in memory, and how its agents behave."""

import itertools
from dataclasses import dataclass, field

from zcplatform.core.images import LABEL_MADE_BY, demo_reference
from zcplatform.core.workload import TenantRef, Workload
from zcplatform.engines.seen import Address, ImageSeen, Trouble, WorkloadSeen
from zcplatform.errors import StepFailed

AGENT_VERSION = "0.8.7"
LIMITS = ("memory_bytes", "cpu_millis", "pids")


@dataclass
class Container:
    """A workload that was put. `limits` may be changed by hand; the specification is what it was made with."""

    workload: Workload
    ref: str
    limits: dict[str, object]
    is_alive: bool = False
    exit_code: int | None = None
    was_oom_killed: bool = False
    is_isolated: bool = True
    starts: int = 0
    log: list[bytes] = field(default_factory=list)

    def end(self, exit_code: int, *, oom: bool = False) -> None:
        self.is_alive, self.exit_code, self.was_oom_killed = False, exit_code, oom

    def seen(self, *, closely: bool) -> WorkloadSeen:
        port = self.workload.port
        return WorkloadSeen(
            ref=self.ref,
            is_alive=self.is_alive,
            is_running=self.is_alive,
            image_id=self.workload.image_id,
            marks={"spec": self.workload.spec_hash, "tenant": self.workload.tenant.id},
            exit_code=self.exit_code,
            was_oom_killed=self.was_oom_killed,
            address=Address("127.0.0.1", port) if self.is_alive else None,
            direct=None,
            is_isolated=self.is_isolated,
            limits=dict(self.limits) if closely else None,
        )


@dataclass
class Mount:
    """A configuration: its files are readable only here. `nonce` identifies the mount."""

    nonce: str
    uid: int
    files: dict[str, bytes]


@dataclass
class Remains:
    """Everything that exists of one tenant."""

    container: Container | None = None
    subnet: int | None = None
    configuration: Mount | None = None
    workspace: dict[str, bytes] | None = None
    workspace_owner: int | None = None
    is_claimed: bool = False
    devices: dict[str, str] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        return self.container is None and self.subnet is None and self.configuration is None and self.workspace is None


@dataclass
class World:
    """`crashing` agents end as soon as they start; `sick` ones run and never answer well. Both by slug."""

    instance: str
    tenants: dict[TenantRef, Remains] = field(default_factory=dict)
    images: dict[str, ImageSeen] = field(default_factory=dict)
    taken_ports: set[int] = field(default_factory=set)
    firewall_stands: bool = False
    crashing: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    trouble: Trouble | None = None
    """Why nothing can be started at the place, while what runs keeps running."""
    rejected: set[str] = field(default_factory=set)
    """Slugs whose configuration the agent rejects."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def number(self) -> int:
        return next(self._numbers)

    def of(self, tenant: TenantRef) -> Remains:
        return self.tenants.setdefault(tenant, Remains())

    def require_own(self, tenant: TenantRef, what: str) -> None:
        """Raises StepFailed where another tenant has objects under this slug."""
        for ref, other in self.tenants.items():
            has = {"container": other.container is not None, "network": other.subnet is not None, "workspace": other.is_claimed}
            if ref != tenant and ref.slug == tenant.slug and has[what]:
                raise StepFailed(
                    f"{what}.foreign", f"The {what} of `{tenant.slug}` belongs to another tenant", "The platform leaves it alone"
                )

    def serving(self, address: Address) -> tuple[TenantRef, Remains] | None:
        """Return the tenant whose agent answers at this address."""
        for ref, remains in self.tenants.items():
            if remains.container is not None and remains.container.is_alive and remains.container.workload.port == address.port:
                return ref, remains
        return None

    def add_image(self, name: str, digest: str = "") -> ImageSeen:
        """An image that may run: made here, or pulled by digest."""
        labels = {} if digest else {LABEL_MADE_BY: self.instance}
        labels["org.opencontainers.image.version"] = AGENT_VERSION
        made = ImageSeen(f"sha256:{self.number():064x}", (digest,) if digest else (), labels, 10_000_000)
        self.images[made.id] = self.images[name] = made
        return made

    def demo_image(self) -> ImageSeen:
        return self.add_image(demo_reference(self.instance))
