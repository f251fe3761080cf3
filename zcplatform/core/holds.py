"""Holds: recorded reasons that keep a tenant from running, whatever its members request. Each is lifted by its own cause."""

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
    """The operator's suspension, or a used-up limit of the plan."""

    SUSPENDED = "suspended"
    QUOTA = "quota"


@dataclass(frozen=True)
class Hold:
    """`reason` is shown to the tenant's members; `by` names who or what recorded the hold."""

    kind: HoldKind
    reason: str
    since: str
    by: str


def effective_wanted(wanted: Wanted, holds: Collection[Hold]) -> Wanted:
    """Return the state to reconcile to: a tenant with a hold does not run. `wanted` is kept for when the last hold is lifted."""
    return Wanted.STOPPED if holds and wanted is Wanted.RUNNING else wanted
