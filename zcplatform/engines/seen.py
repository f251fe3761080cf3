"""What a place reports: observations as engine-neutral values.

Silence is a value too. If a machine or its engine does not answer, nothing is concluded about what runs there, and nothing is started elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from zcplatform.core.workload import TenantRef
from zcplatform.ids import NodeId


@dataclass(frozen=True)
class Silence:
    """The machine did not answer in time."""

    detail: str
    hint: str = ""


class Address(NamedTuple):
    """The address at which a tenant's agent answers HTTP."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


Upstream = str
"""What the edge dials for a tenant, as its document has it: `127.0.0.1:20001`."""


@dataclass(frozen=True)
class WorkloadSeen:
    """A tenant's workload as the engine reports it. Everything here was inspected; nothing comes from a row."""

    ref: str
    """The engine's handle: opaque, and invalid after a replacement."""
    is_alive: bool
    """Whether it has processes. Paused ones count, because they still hold the tenant's files."""
    is_running: bool
    image_id: str
    marks: Mapping[str, str]
    """Labels that the platform set, such as the specification's hash. `Place.compare` reads them."""
    exit_code: int | None = None
    was_oom_killed: bool = False
    address: Address | None = None
    """The agent, from the machine itself, through the port that is published for it. None while it is not alive."""
    direct: Address | None = None
    """The agent in the tenant's own network: answers also where the published port leads nowhere. None while unknown."""
    is_isolated: bool = True
    """Whether it is attached to its own network and to no other."""
    limits: Mapping[str, object] | None = None
    """None: not reported; only an inspection shows them."""


@dataclass(frozen=True)
class NetworkSeen:
    ref: str
    marks: Mapping[str, str]


@dataclass(frozen=True)
class FilesSeen:
    """The files under a slug. Files carry no labels, so `put_workspace` decides who owns them."""

    configuration: str | None = None
    """The identity of the present mount; None if there is none, or if it was not filled completely."""
    has_workspace: bool = False
    workspace_owner: int | None = None
    """The uid that owns all directories, if their modes are right; None if something has to be repaired."""


NO_FILES = FilesSeen()


@dataclass(frozen=True)
class TenantSeen:
    """Everything that exists of one tenant at a place. Objects of its name that belong to another owner are not included."""

    workload: WorkloadSeen | None = None
    network: NetworkSeen | None = None
    files: FilesSeen = NO_FILES


NOTHING = TenantSeen()


@dataclass(frozen=True)
class Trouble:
    """Why nothing can be started at a place, while what runs there keeps running. As an error: code, detail, hint."""

    code: str
    detail: str
    hint: str


@dataclass(frozen=True)
class Look:
    """Everything of this installation at a place, from one request. Objects that belong to no tenant are left to `Place.sweep`."""

    tenants: Mapping[TenantRef, TenantSeen]
    files: Mapping[str, FilesSeen]
    """By slug."""
    firewall_stands: bool
    trouble: Trouble | None = None
    listing: object = field(default=None, compare=False, repr=False)
    """The engine's own listing. `Place.sweep` can use it instead of requesting another one."""

    def of(self, tenant: TenantRef) -> TenantSeen:
        return replace(self.tenants.get(tenant, NOTHING), files=self.files.get(tenant.slug, NO_FILES))


@dataclass(frozen=True)
class Differences:
    """How the observed workload differs from the desired one."""

    is_other: bool = False
    """The specification differs, so the workload must be replaced."""
    network_is_other: bool = False
    """The network differs or is missing, so it must be replaced, together with the workload."""
    limits: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    """Name → (observed, desired), for limits that were changed while it runs. Empty without an inspection."""


@dataclass(frozen=True)
class Stamp:
    """A stamp that changes when a file is written (except through a memory map) or replaced.

    If not `is_settled`, the file was written a moment ago and may be written again without a change of the stamp.
    """

    device: int
    inode: int
    changed_ns: int
    size: int
    is_settled: bool = field(compare=False)


@dataclass(frozen=True)
class ImageSeen:
    id: str
    digests: tuple[str, ...]
    """`repository@sha256:…`"""
    labels: Mapping[str, str]
    size_bytes: int


@dataclass(frozen=True)
class PullProgress:
    """`bytes` and `total_bytes` count the layers whose size is known so far."""

    layers: int = 0
    layers_done: int = 0
    bytes: int = 0
    total_bytes: int = 0

    def __str__(self) -> str:
        """`3 of 5 layers, 12.4 of 80.2 MB`"""
        return f"{self.layers_done} of {self.layers} layers, {self.bytes / 1e6:.1f} of {self.total_bytes / 1e6:.1f} MB"


@dataclass(frozen=True)
class Result:
    """The result of a task. `exit_code` is None if it did not end within its deadline. `output` is both streams, bounded."""

    exit_code: int | None
    output: str


@dataclass(frozen=True)
class Reading:
    """What a tenant uses at this moment. `cpu_ns` counts up while its workload runs."""

    memory_bytes: int
    cpu_ns: int
    pids: int


class MachineState(StrEnum):
    UP = "up"
    DOWN = "down"
    """Reported by the engine itself, not concluded from silence."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Facts:
    """What a place can do. Checked before anything is started there, and shown to the operator."""

    engine: str
    """Name and version."""
    cpus: int
    memory_bytes: int
    limits_live: bool
    """Limits change while the agent runs; otherwise each change is a new workload."""
    keeps_agents: bool
    """Agents outlive a restart of the engine."""
    problems: tuple[str, ...] = ()
    """Promises that the place cannot keep, one sentence each. If there is any, nothing is started there."""


@dataclass(frozen=True)
class Machine:
    id: NodeId
    name: str
    state: MachineState
    facts: Facts | None
    """None while it does not answer."""


@dataclass(frozen=True)
class Known:
    """What the database knows: everything else with this installation's labels is a leftover."""

    tenants: tuple[TenantRef, ...]
    subnets: frozenset[int]


@dataclass(frozen=True)
class Cleared:
    """What `Place.clear` removed."""

    containers: int
    networks: int
    mounts: int
