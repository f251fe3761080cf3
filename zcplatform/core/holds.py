"""Holds: recorded reasons that keep a tenant from running, whatever its members want. Each is lifted by its own cause."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class Wanted(StrEnum):
    """The desired state."""

    DRAFT = "draft"
    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"


class HoldKind(StrEnum):
    """What holds a tenant: the operator's suspension, or a limit of its plan that is used up."""

    SUSPENDED = "suspended"
    QUOTA = "quota"


@dataclass(frozen=True)
class Hold:
    """`reason` is for the tenant's members, `by` the name of who or what recorded it."""

    kind: HoldKind
    reason: str
    since: str
    by: str


def effective_wanted(wanted: Wanted, holds: Collection[Hold]) -> Wanted:
    """What the worker makes true: a tenant that is held does not run. Its desired state is kept for when the last hold is lifted."""
    return Wanted.STOPPED if holds and wanted is Wanted.RUNNING else wanted
