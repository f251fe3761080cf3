"""Plans: what a tenant of that plan gets. Rows, so that an operator may edit them."""

from dataclasses import dataclass

from zcplatform.store.db import Tx, many, names, one


@dataclass(frozen=True)
class Plan:
    name: str
    position: int
    memory_bytes: int
    cpu_millis: int
    pids: int
    disk_bytes: int


def get(tx: Tx, name: str) -> Plan | None:
    return one(tx, Plan, f"SELECT {names(Plan)} FROM plans WHERE name = ?", name)


def everything(tx: Tx) -> list[Plan]:
    return many(tx, Plan, f"SELECT {names(Plan)} FROM plans ORDER BY position")
