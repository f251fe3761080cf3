"""The seam between the platform and what runs its tenants: one `Engine` per installation, one `Place` per machine.

Everything that concerns a host or a cluster is behind it: containers, networks, firewall, mounts, workspaces, images, readings, addresses. Plans, holds,
revisions, secrets, the edge's document and people stay outside. The terms are the product's, not those of any engine; where engines
differ, `Facts` describes it.

Promises of every implementation, tested by one suite (tests/engines/contract):

- Hardening: a workload runs as its own uid, without capabilities, without a way to gain privileges, on a read-only root, with bounded memory (no
  swap beyond it), processor time and processes, resolvers given explicitly, and nothing inherited from the machine's configuration.
- Firewall: nothing is started unless the rules of the installation are in place. From its network a tenant reaches neither the machine, nor another
  tenant, nor private addresses, nor mail ports. Its agent's port is published on the loopback address alone.
- Secrets exist in the configuration mount only: never swapped, readable by the tenant's uid and root; not in an environment, argument, label, image
  or log, and not in the engine's own storage.
- Workspaces and configurations are hostile trees. Nothing outside them is read, changed or removed through them, and nothing in them blocks a
  caller.
- At most one workload of a tenant runs, anywhere, at any time. The tenants of a machine that does not answer are not started elsewhere.
- Objects of others are never changed, whatever their names. What already exists, or is already gone, counts as success.
- Stopping, removing and clearing take a `TenantRef` and depend on nothing else.

Errors, of every method: `EngineUnreachable` if the engine does not answer in time (the request may have been carried out all the same),
`StepFailed` with code `engine.bad_answer` for an answer that cannot be parsed, and `engine.refused` with the engine's message. Further codes are
named at each method. Every call ends within a deadline.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from zcplatform.core.workload import Task, TenantRef, Workload
from zcplatform.engines.seen import (
    Address,
    Cleared,
    Differences,
    Facts,
    ImageSeen,
    Known,
    Look,
    Machine,
    PullProgress,
    Reading,
    Result,
    Silence,
    Stamp,
    TenantSeen,
    Upstream,
    WorkloadSeen,
)
from zcplatform.errors import Unavailable
from zcplatform.ids import NodeId, TenantId


class EngineUnreachable(Unavailable):
    """The engine does not answer, or not in time. The request may have been carried out all the same: observe again."""

    def __init__(self, detail: str, hint: str = "start the Docker engine; the platform continues by itself") -> None:
        super().__init__("engine.unreachable", detail, hint, retry_after_s=10)


class Place(Protocol):
    """One machine. The engine owns it; its users do not close it."""

    node_id: NodeId

    @property
    def firewall_stands(self) -> bool:
        """Whether the firewall's rules were in place at the last check. Nothing is started while they are not."""
        ...

    # Observing

    async def look(self) -> Look | Silence:
        """Return everything of this installation, with one request per round. Limits, and other fields that need an inspection, are None."""
        ...

    async def look_at(self, tenant: TenantRef) -> TenantSeen | Silence:
        """Inspect one tenant closely."""
        ...

    def compare(self, workload: Workload, seen: TenantSeen) -> Differences:
        """Compare the observed with the desired workload. Pure. A workload that an earlier release started is recognised by that release's labels.

        Raises ValueError for a workload out of bounds.
        """
        ...

    async def facts(self) -> Facts | Silence:
        """Return what this place can do. Cached, so a replaced engine is noticed within a minute."""
        ...

    async def readings(self) -> Mapping[TenantId, Reading] | Silence:
        """Return the readings of all workloads that run here."""
        ...

    # Workloads

    async def check(self, workload: Workload) -> None:
        """Check whether the engine would accept the workload, before what runs is removed for it. Leaves nothing behind.

        Raises StepFailed: `tenant.invalid`, `host.too_small`, `engine.unsupported`, `image.missing`, and what `put` raises.
        """
        ...

    async def put(self, workload: Workload) -> None:
        """Create the workload without starting it. An identical one is adopted; another one of the tenant is replaced.

        Raises StepFailed: `container.foreign`, `container.mount_missing`, `image.missing`, `tenant.invalid`, `engine.unsupported`.
        """
        ...

    async def start(self, tenant: TenantRef) -> None:
        """Start the workload; one that runs is success. Raises StepFailed: `container.gone`, `container.foreign`, `container.port_taken`, `network.missing`,
        `container.start_failed`, `firewall.*` while the rules do not stand, `engine.rules_gone`."""
        ...

    async def stop(self, tenant: TenantRef) -> bool:
        """Stop the workload; it is killed after STOP_TIMEOUT_S. False if there is none. Raises StepFailed: `container.foreign`."""
        ...

    async def remove(self, tenant: TenantRef) -> None:
        """Raises StepFailed: `container.foreign`."""
        ...

    async def set_limits(self, workload: Workload) -> Mapping[str, tuple[object, object]] | None:
        """Change the limits of what runs to those of the workload. Returns name → (before, now), or None if that needs a new workload.
        A limit that the place accepts but does not keep is remembered, and no longer counts as a difference. Raises StepFailed: `container.foreign`."""
        ...

    async def run_once(self, task: Task) -> Result:
        """Run a task, then remove it and its mount. Raises StepFailed: `check.gone` if it was removed while it ran, `image.missing`."""
        ...

    def logs(
        self, tenant: TenantRef, *, tail: int = 200, since: int = 0, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Yield the agent's lines, each cut at 4 096 bytes. With `follow` it ends when the workload does. `since` is in seconds since 1970."""
        ...

    # Network and firewall

    async def put_network(self, workload: Workload) -> None:
        """Create the tenant's own network. An existing one is left as it is. Raises StepFailed: `network.foreign`, `network.subnet_taken`."""
        ...

    async def remove_network(self, tenant: TenantRef, subnet: int | None) -> None:
        """Remove the tenant's network and, if `subnet` is known, what a killed engine left of it. Raises StepFailed: `network.foreign`, `network.in_use`."""
        ...

    async def firewall(self) -> None:
        """Put the firewall's rules of the installation in place. Raises StepFailed: `firewall.*`."""
        ...

    async def free_port(self, port: int) -> bool:
        """Whether a workload could publish this port here, according to the kernel."""
        ...

    async def taken_subnets(self) -> frozenset[int]:
        """Return indexes of the pool whose range overlaps a network on this machine that is not one of this installation."""
        ...

    async def port_leads(self, workload: Workload) -> bool | None:
        """Whether the kernel routes the published port to the workload; the agent is never consulted. None: unknown."""
        ...

    async def agent(self, tenant: TenantRef) -> Address:
        """Return the address of the tenant's agent, from an inspection of its workload and never from a row.

        Raises Unavailable: `agent.no_container` when there is none or it does not run.
        """
        ...

    def dial(self, seen: WorkloadSeen) -> Upstream | None:
        """Return the address that the edge dials for the tenant. None while its workload does not run."""
        ...

    def listener(self, seen: WorkloadSeen) -> str | None:
        """Return the host at which the edge reaches channel listeners in the tenant's network. None: not reachable from here."""
        ...

    # Workspace: the tenant's files

    async def put_workspace(self, tenant: TenantRef, uid: int) -> None:
        """Claim it for the tenant, make its directories, and repair owners, modes and layout of those that are there; their content stays.

        Raises StepFailed: `workspace.foreign`, `workspace.unusable`.
        """
        ...

    async def remove_workspace(self, tenant: TenantRef) -> None:
        """Raises StepFailed: `workspace.foreign`, `workspace.not_removed`."""
        ...

    async def release_workspace(self, tenant: TenantRef) -> None:
        """Release the claim, once nothing of the tenant is left."""
        ...

    async def write_workspace_file(self, tenant: TenantRef, uid: int, name: str, content: bytes) -> None:
        """Write a file, replacing an existing one and creating directories. Raises StepFailed: `workspace.unusable`."""
        ...

    async def remove_workspace_file(self, tenant: TenantRef, name: str, content: bytes) -> None:
        """Remove a file, but only if it has exactly this content."""
        ...

    def export_workspace(self, tenant: TenantRef) -> AsyncGenerator[bytes, None]:
        """Export the workspace as a tar stream, for backups and moves. Links are exported as links. Raises StepFailed: `workspace.unusable`."""
        ...

    async def import_workspace(self, tenant: TenantRef, uid: int, parts: AsyncGenerator[bytes, None]) -> None:
        """Fill an empty workspace from such a stream; every file belongs to `uid`. Raises StepFailed: `workspace.unusable`."""
        ...

    # Configuration: the only place where a tenant's secrets are in the clear

    async def write_configuration(self, tenant: TenantRef, uid: int, files: Mapping[str, bytes]) -> str:
        """Mount these files in place of the previous configuration. Returns the identity of the new mount (`TenantSeen.configuration`).

        Raises StepFailed: `config.too_large`, `config.unusable`, `config.swap`.
        """
        ...

    async def drop_configuration(self, tenant: TenantRef) -> None:
        """Raises StepFailed: `config.not_removed`."""
        ...

    async def read_configuration(self, tenant: TenantRef, name: str, limit_bytes: int) -> bytes | None:
        """Return a file that the agent may have changed. None if it is not a regular file of at most that size. Raises StepFailed: `config.unreadable`."""
        ...

    async def stamp_configuration(self, tenant: TenantRef, name: str) -> Stamp | None:
        """Return a stamp that changes when the file changes. None if there is no file."""
        ...

    # Images

    async def image(self, reference: str) -> ImageSeen | None:
        """Find an image by the engine's id or by name."""
        ...

    async def registry_digest(self, reference: str) -> str:
        """Return the digest (`sha256:…`) that the reference has at the registry now. Nothing is pulled. Raises StepFailed: `image.missing`,
        `registry.unreachable`."""
        ...

    def pull_image(self, reference: str) -> AsyncGenerator[PullProgress, None]:
        """Pull an image. It has succeeded only if `image` finds it afterwards. Raises StepFailed: `image.missing`, `registry.unreachable`, `engine.disk_full`."""
        ...

    async def name_image(self, reference: str, name: str) -> None:
        """Add a name, `repository:tag`, to an image, so that the engine's pruning keeps it."""
        ...

    async def add_image(self, tar: Path, changes: Sequence[str], name: str) -> str:
        """Import a tar of files as an image. Returns the engine's id. Raises StepFailed: `engine.disk_full`."""
        ...

    async def remove_image(self, reference: str) -> None:
        """Raises StepFailed: `image.in_use`."""
        ...

    # The whole place

    async def remains(self, tenant: TenantRef) -> tuple[str, ...]:
        """Return descriptions of everything that is left of the tenant. Leftovers of tasks are removed first."""
        ...

    async def sweep(self, known: Callable[[], Known], look: Look | None = None) -> tuple[str, ...]:
        """Remove objects with this installation's labels that belong to none of its tenants, including networks and bridges. Returns what was
        removed.

        `known` is called after everything was listed, so that an object created in between has its row by then. One that cannot be removed does not
        keep the others. With `look`, a recent observation, only what that contains is swept, without observing again. Call it only with a list that
        can be trusted: an empty database is more likely a lost one.
        """
        ...

    async def clear(self) -> Cleared:
        """Remove everything of this installation from the machine, its firewall rules last. Workspaces stay."""
        ...


class Engine(Protocol):
    """One per installation."""

    async def machines(self) -> tuple[Machine, ...]:
        """Return every machine with what is known of it. Never raises: a machine that does not answer is `unknown`."""
        ...

    def place(self, node: NodeId) -> Place:
        """Return the place of a machine. Raises StepFailed `machine.unknown` for one that is not part of this engine."""
        ...

    def events(self) -> AsyncGenerator[tuple[TenantId | None, str], None]:
        """Yield (tenant, event) as hints to observe now: `die`, `oom`, `update`, `destroy`, `connect`, `disconnect`. Some may be lost."""
        ...

    async def close(self) -> None: ...
