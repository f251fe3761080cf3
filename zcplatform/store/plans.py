"""Plans: the limits of their tenants. They are rows, so that an operator can edit them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform import bounded_json
from zcplatform.store.db import Tx, columns, many, names, one


@dataclass(frozen=True)
class Plan:
    name: str
    position: int
    memory_bytes: int
    cpu_millis: int
    pids: int
    disk_bytes: int
    channels: int
    members: int
    agents: int
    messages_day: int
    tokens_month: int
    dollars_month_micros: int
    most_level: str
    """readonly, supervised or full: what an agent may do without confirmation."""
    excluded_tools: str
    """JSON list."""
    actions_per_hour: int

    def ceilings(self) -> dict[str, Any]:
        """Return the upper bounds on an agent of this plan, as an agent.policy.Policy."""
        return {
            "most_level": self.most_level,
            "excluded_tools": tuple(bounded_json.loads(self.excluded_tools)),
            "most_actions_per_hour": self.actions_per_hour,
            "monthly_usd": self.dollars_month_micros / 1_000_000 or None,
        }


def get(tx: Tx, name: str) -> Plan | None:
    return one(tx, Plan, f"SELECT {names(Plan)} FROM plans WHERE name = ?", name)


def everything(tx: Tx) -> list[Plan]:
    return many(tx, Plan, f"SELECT {names(Plan)} FROM plans ORDER BY position")


def update(tx: Tx, name: str, changes: Mapping[str, object]) -> None:
    """Update a plan. Column names must be fields of the row type, never input."""
    if not changes.keys() <= set(columns(Plan)) - {"name"}:
        raise ValueError(f"not columns of a plan: {sorted(changes)}")
    assignments = ", ".join(f"{column} = ?" for column in changes)
    tx.execute(f"UPDATE plans SET {assignments} WHERE name = ?", (*changes.values(), name))
