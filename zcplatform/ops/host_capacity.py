"""The host's capacity, which limits plans: the engine rejects a container with more CPUs than the host has."""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform.errors import Conflict
from zcplatform.store.plans import Plan


@dataclass(frozen=True)
class HostCapacity:
    cpu_millis: int
    memory_bytes: int


@functools.cache
def of_this_host() -> HostCapacity:
    return HostCapacity((os.cpu_count() or 1) * 1000, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def excess(numbers: Mapping[str, Any], host: HostCapacity) -> dict[str, str]:
    """Return field → problem for limits above what the host has."""
    most = {"cpu_millis": host.cpu_millis, "memory_bytes": host.memory_bytes}
    return {name: f"must be at most {limit}: this host has no more" for name, limit in most.items() if numbers.get(name, 0) > limit}


def require_fits(plan: Plan) -> None:
    """Raises Conflict for a plan whose containers this host could not run."""
    found = excess(plan.__dict__, of_this_host())
    if found:
        name, why = next(iter(found.items()))
        raise Conflict(
            "plan.exceeds_host", f"Plan `{plan.name}` does not fit this host: `{name}` {why}", "choose another plan, or change it"
        )
