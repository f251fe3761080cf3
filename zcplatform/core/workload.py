"""The workload of a tenant: an engine-neutral description of what runs for it.

`check` raises ValueError for every value out of bounds, whatever a row holds. A workload contains no secret, because engines write it to disk
in the clear. What the agent needs (`Program`) is described in agent/runtime.py; how an engine creates it, beside that engine.
"""

import functools
import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from zcplatform.core.slugs import is_slug
from zcplatform.ids import NodeId, TenantId, is_id

STOP_TIMEOUT_S = 20
MOST_RESOLVERS = 3
"""The C library of an agent reads no more."""
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_MIB = 1024 * 1024


@dataclass(frozen=True)
class TenantRef:
    """Identifies a tenant's workload. Stopping and removing need only this, so an invalid plan, image or setting cannot prevent them."""

    id: TenantId
    slug: str


@dataclass(frozen=True)
class Program:
    """What runs in a workload, and where it expects its files."""

    command: tuple[str, ...]
    port: int
    """Inside the workload; published on the loopback address of its machine."""
    config_target: str
    workspace_names: tuple[str, ...]
    """Directories of the workspace that are mounted into `config_target`."""
    constants: tuple[tuple[str, str], ...]
    """Variables that are the same for every tenant."""
    variables: Mapping[str, re.Pattern[str]] = field(compare=False)
    """Variables that a tenant may be given, and what their values look like."""


@dataclass(frozen=True)
class Workload:
    tenant: TenantRef
    node_id: NodeId
    generation: int
    """Recorded as a label; a new generation alone does not replace the workload."""
    epoch: int
    """Counts restarts that replace the workload: a new epoch is a new workload."""
    image_id: str
    """The engine's id, `sha256:…`."""
    uid: int
    port: int
    """On the loopback address of the machine."""
    subnet: int
    """Index of the tenant's range in the pool of the installation."""
    memory_bytes: int
    """Memory and swap together."""
    cpu_millis: int
    pids: int
    resolvers: tuple[str, ...]
    program: Program
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that enforce the plan's limits: names of `program.variables` only, never a secret."""
    memo: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Cache of values derived from the other fields, because every observation compares all workloads with what runs."""

    @functools.cached_property
    def spec_hash(self) -> str:
        """Hash of the specification, independent of engine and machine. While it stays the same, nothing is replaced."""
        canonical = {
            "tenant": self.tenant.id,
            "slug": self.tenant.slug,
            "epoch": self.epoch,
            "image": self.image_id,
            "uid": self.uid,
            "port": self.port,
            "subnet": self.subnet,
            "memory": self.memory_bytes,
            "cpu": self.cpu_millis,
            "pids": self.pids,
            "resolvers": self.resolvers,
            "command": self.program.command,
            "inner_port": self.program.port,
            "config": self.program.config_target,
            "workspace": self.program.workspace_names,
            "constants": self.program.constants,
            "environment": dict(self.environment),
        }
        return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Task:
    """One command in a throw-away workload: the same hardening, no network, no port, none of the tenant's files."""

    purpose: str
    """Names the task, together with `subject`. A leftover task of the same name is replaced."""
    subject: str
    """A tenant's slug or an image's id."""
    image_id: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    memory_bytes: int
    pids: int
    deadline_s: float
    uid: int = 65_534
    cpu_millis: int | None = None
    tenant: TenantRef | None = None
    config_target: str | None = None
    configuration: Mapping[str, bytes] | None = None
    """Files on a mount of the task's own, at `config_target`."""


def check(workload: Workload) -> None:
    """Raise ValueError, naming the field, for the first value out of bounds."""
    if "checked" in workload.memo:
        return
    check_tenant(workload.tenant)
    check_image_id(workload.image_id)
    for name, least, most in (
        ("generation", 0, 2**62),
        ("epoch", 0, 2**62),
        ("uid", 1_000, 2**31 - 1),
        ("port", 1_024, 65_535),
        ("subnet", 0, 2**24),
        ("memory_bytes", 16 * _MIB, 1024 * 1024 * _MIB),
        ("cpu_millis", 10, 256_000),
        ("pids", 8, 32_768),
    ):
        _check_number(name, getattr(workload, name), least, most)
    for name, value in workload.environment.items():
        form = workload.program.variables.get(name)
        if form is None or form.fullmatch(value) is None:
            raise ValueError(f"{name[:80]} is not a variable that an agent is given, or has no such value")
    if not 1 <= len(workload.resolvers) <= MOST_RESOLVERS:
        raise ValueError("resolvers must be one to three addresses")
    for resolver in workload.resolvers:
        ipaddress.IPv4Address(resolver)
    workload.memo["checked"] = "yes"


def check_tenant(tenant: TenantRef) -> None:
    if not is_id(tenant.id) or not tenant.id.startswith("ten_"):
        raise ValueError("tenant_id is not the id of a tenant")
    if not is_slug(tenant.slug):
        raise ValueError("slug is not a slug")


def check_image_id(image_id: str) -> None:
    if _IMAGE_ID.fullmatch(image_id) is None:
        raise ValueError("image_id is not sha256:…")


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is not a whole number from {least} to {most}")
