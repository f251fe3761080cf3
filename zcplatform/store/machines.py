"""The machines of the installation: recorded by the worker, read by everybody else."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from zcplatform.ids import NodeId
from zcplatform.store.db import Tx, columns, many, names


@dataclass(frozen=True)
class MachineRow:
    """`problems` is a JSON list of sentences: why nothing can be started there."""

    id: NodeId
    name: str
    state: str
    engine: str | None
    cpus: int | None
    memory_bytes: int | None
    problems: str
    seen_at: str | None

    def same_as(self, other: "MachineRow | None") -> bool:
        """Whether two rows differ at most in the time of observation."""
        return other is not None and replace(self, seen_at=other.seen_at) == other


def everything(tx: Tx) -> list[MachineRow]:
    return many(tx, MachineRow, f"SELECT {names(MachineRow)} FROM machines ORDER BY id")


def names_by_id(tx: Tx) -> dict[NodeId, str]:
    return {row.id: row.name for row in everything(tx)}


def put(tx: Tx, rows: Iterable[MachineRow]) -> None:
    marks = ", ".join("?" for _ in columns(MachineRow))
    for row in rows:
        tx.execute(
            f"INSERT OR REPLACE INTO machines ({names(MachineRow)}) VALUES ({marks})", [getattr(row, name) for name in columns(MachineRow)]
        )
