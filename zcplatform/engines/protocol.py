"""The seam between the platform and what runs its tenants: one `Engine` per installation, one `Place` per machine.

Everything that touches a host or a cluster is behind it: containers, networks, firewall, mounts, workspaces, images, readings, addresses. What
stays outside: plans, holds, revisions, secrets, the edge's document, people. The words are the product's, not those of any engine; where engines
differ, `Facts` says so.

Promises of every implementation, tested by one suite (tests/engines/contract):

- Hardening: a workload runs as its own uid, without capabilities, without a way to gain privileges, on a read-only root, with bounded memory (no
  swap beyond it), processor time and processes, resolvers given explicitly, and nothing inherited from the machine's configuration.
- Firewall: nothing is started while the rules of the installation do not stand. From its network a tenant reaches neither the machine, nor another
  tenant, nor private addresses, nor mail ports. Its agent's port is published on the loopback address alone.
- Secrets exist in the configuration mount only: never swapped, readable by the tenant's uid and root; not in an environment, argument, label, image
  or log, and not in the engine's own storage.
- Workspaces and configurations are hostile trees. Nothing outside them is read, changed or removed through them, and nothing in them makes a
  caller wait.
- At most one workload of a tenant runs, anywhere, at any time. A silent machine does not free its tenants.
- Objects of others are never changed, whatever their names. Already there and already gone are success.
- Stopping, removing and clearing take a `TenantRef` and depend on nothing else.

Errors, of every method: `EngineUnreachable` when nobody answers or not in time (what was requested may have happened all the same: look again),
`StepFailed` with code `engine.bad_answer` for an answer that makes no sense and `engine.refused` with the engine's words. Further codes are named at
each method. Every call ends within a deadline.
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
    """Nobody answers, or not in time. What was requested may have happened all the same: look again."""

    def __init__(self, detail: str, hint: str = "start the Docker engine; the platform goes on by itself") -> None:
        super().__init__("engine.unreachable", detail, hint, retry_after_s=10)


class Place(Protocol):
    """One machine. Not closed by its users; the engine owns it."""

    node_id: NodeId

    @property
    def firewall_stands(self) -> bool:
        """Whether the rules stood at the last look. Nothing is started while they do not."""
        ...

    # Observing

    async def look(self) -> Look | Silence:
        """Everything of this installation, from one question a round. Cheap: limits, and what only a close look knows, stay None."""
        ...

    async def look_at(self, tenant: TenantRef) -> TenantSeen | Silence:
        """One tenant, closely."""
        ...

    def compare(self, workload: Workload, seen: TenantSeen) -> Differences:
        """How what was observed differs from the workload. Pure. A workload that an earlier release started is recognised by the marks of then.

        Raises ValueError for a workload out of bounds.
        """
        ...

    async def facts(self) -> Facts | Silence:
        """What this place can do. Kept for a while: an engine that was replaced is noticed within a minute."""
        ...

    async def readings(self) -> Mapping[TenantId, Reading] | Silence:
        """Of all workloads that run here."""
        ...

    # Workloads

    async def check(self, workload: Workload) -> None:
        """Ask the engine whether it would take the workload, before anything that runs is removed for it. Changes nothing that lasts.

        Raises StepFailed: `tenant.invalid`, `host.too_small`, `engine.unsupported`, `image.missing`, and what `put` raises.
        """
        ...

    async def put(self, workload: Workload) -> None:
        """Make the workload, not started. One that is exactly this is adopted; another one of the tenant's is replaced.

        Raises StepFailed: `container.foreign`, `container.mount_missing`, `image.missing`, `tenant.invalid`, `engine.unsupported`.
        """
        ...

    async def start(self, tenant: TenantRef) -> None:
        """Started already is success. Raises StepFailed: `container.gone`, `container.foreign`, `container.port_taken`, `network.missing`,
        `container.start_failed`, `firewall.*` while the rules do not stand, `engine.rules_gone`."""
        ...

    async def stop(self, tenant: TenantRef) -> bool:
        """Ends within STOP_TIMEOUT_S, then it is killed. False: there is none. Raises StepFailed: `container.foreign`."""
        ...

    async def remove(self, tenant: TenantRef) -> None:
        """Raises StepFailed: `container.foreign`."""
        ...

    async def set_limits(self, workload: Workload) -> Mapping[str, tuple[object, object]] | None:
        """Give what runs the limits of the workload while it runs. Returns what changed: name → (before, now). None: not without a new workload.
        What the place takes and does not keep is noted, and is no difference from then on. Raises StepFailed: `container.foreign`."""
        ...

    async def run_once(self, task: Task) -> Result:
        """Run a task and remove it, with its mount. Raises StepFailed: `check.gone` when it was removed in the middle, `image.missing`."""
        ...

    def logs(
        self, tenant: TenantRef, *, tail: int = 200, since: int = 0, follow: bool = False, timestamps: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """Lines as the agent wrote them, each cut at 4 096 bytes. With `follow` it ends when the workload does. `since` is in seconds since 1970."""
        ...

    # Network and firewall

    async def put_network(self, workload: Workload) -> None:
        """The tenant's own network. One that is there is left as it is. Raises StepFailed: `network.foreign`, `network.subnet_taken`."""
        ...

    async def remove_network(self, tenant: TenantRef, subnet: int | None) -> None:
        """With what an engine that was killed left of it, if `subnet` is known. Raises StepFailed: `network.foreign`, `network.in_use`."""
        ...

    async def firewall(self) -> None:
        """Make the rules of the installation stand. Raises StepFailed: `firewall.*`."""
        ...

    async def free_port(self, port: int) -> bool:
        """Whether a workload could publish this port here, asked of the kernel."""
        ...

    async def taken_subnets(self) -> frozenset[int]:
        """Indexes of the pool whose range overlaps a network of this machine that is none of this installation's."""
        ...

    async def port_leads(self, workload: Workload) -> bool | None:
        """Whether the machine leads the published port to the workload, asked of the kernel and never of the agent. None: it cannot be told."""
        ...

    async def agent(self, tenant: TenantRef) -> Address:
        """Where the tenant's agent answers, from an inspection of its workload and never from a row.

        Raises Unavailable: `agent.no_container` when there is none or it does not run.
        """
        ...

    def dial(self, seen: WorkloadSeen) -> Upstream | None:
        """What the edge dials for it. None while it does not run."""
        ...

    def listener(self, seen: WorkloadSeen) -> str | None:
        """The host under which the edge reaches what listens in the tenant's network beside the agent's gateway. None: not from here."""
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
        """Give up the claim, after the last trace is gone."""
        ...

    async def write_workspace_file(self, tenant: TenantRef, uid: int, name: str, content: bytes) -> None:
        """In place of what was there; folders on the way are made. Raises StepFailed: `workspace.unusable`."""
        ...

    async def remove_workspace_file(self, tenant: TenantRef, name: str, content: bytes) -> None:
        """Only if it holds exactly this."""
        ...

    def export_workspace(self, tenant: TenantRef) -> AsyncGenerator[bytes, None]:
        """The workspace as a tar stream, for backups and moves. Links are exported as links. Raises StepFailed: `workspace.unusable`."""
        ...

    async def import_workspace(self, tenant: TenantRef, uid: int, parts: AsyncGenerator[bytes, None]) -> None:
        """Fill an empty workspace from such a stream; every file belongs to `uid`. Raises StepFailed: `workspace.unusable`."""
        ...

    # Configuration: the only place where a tenant's secrets are in the clear

    async def write_configuration(self, tenant: TenantRef, uid: int, files: Mapping[str, bytes]) -> str:
        """A fresh mount with these files, in place of the one before. Returns what identifies this very mount (`TenantSeen.configuration`).

        Raises StepFailed: `config.too_large`, `config.unusable`, `config.swap`.
        """
        ...

    async def drop_configuration(self, tenant: TenantRef) -> None:
        """Raises StepFailed: `config.not_removed`."""
        ...

    async def read_configuration(self, tenant: TenantRef, name: str, limit_bytes: int) -> bytes | None:
        """What the agent left there. None when it is not a regular file of at most that size. Raises StepFailed: `config.unreadable`."""
        ...

    async def stamp_configuration(self, tenant: TenantRef, name: str) -> Stamp | None:
        """Tells whether the file changed since. None when there is none."""
        ...

    # Images

    async def image(self, reference: str) -> ImageSeen | None:
        """By the engine's id or by name."""
        ...

    async def registry_digest(self, reference: str) -> str:
        """`sha256:…`: what the registry says the reference stands for now; nothing is pulled. Raises StepFailed: `image.missing`,
        `registry.unreachable`."""
        ...

    def pull_image(self, reference: str) -> AsyncGenerator[PullProgress, None]:
        """Has succeeded only when `image` shows it afterwards. Raises StepFailed: `image.missing`, `registry.unreachable`, `engine.disk_full`."""
        ...

    async def name_image(self, reference: str, name: str) -> None:
        """Give an image another name, `repository:tag`, so that an engine that tidies up keeps it."""
        ...

    async def add_image(self, tar: Path, changes: Sequence[str], name: str) -> str:
        """Make an image from the files in a tar. Returns the engine's id. Raises StepFailed: `engine.disk_full`."""
        ...

    async def remove_image(self, reference: str) -> None:
        """Raises StepFailed: `image.in_use`."""
        ...

    # The whole place

    async def remains(self, tenant: TenantRef) -> tuple[str, ...]:
        """Whatever is left of the tenant, everywhere a tenant leaves something, in words for people. Leftovers of tasks are removed first."""
        ...

    async def sweep(self, known: Callable[[], Known], look: Look | None = None) -> tuple[str, ...]:
        """Remove what carries this installation's marks and belongs to none of its tenants, networks and bridges included. Returns what was
        removed. `known` is called after everything was listed: what was made in between has its row by then. One that cannot be removed does not
        keep the others. With `look`, a look of a moment ago, only what that saw is swept, without asking for it again. Callers ask for it only while they trust their list: an empty database is more likely a lost one."""
        ...

    async def clear(self) -> Cleared:
        """Remove everything of this installation from the machine, its firewall rules last. Workspaces stay."""
        ...


class Engine(Protocol):
    """One per installation."""

    async def machines(self) -> tuple[Machine, ...]:
        """Every machine, with what is known of it. Never raises: a machine that does not answer is `unknown`."""
        ...

    def place(self, node: NodeId) -> Place:
        """Raises StepFailed `machine.unknown` for a machine that is not one of its own."""
        ...

    def events(self) -> AsyncGenerator[tuple[TenantId | None, str], None]:
        """(tenant, what happened) as hints to look now: `die`, `oom`, `update`, `destroy`, `connect`, `disconnect`. Some may be lost."""
        ...

    async def close(self) -> None: ...
