"""Machines of the installation, and which of them have an image: written by the worker, read by everybody else."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from zcplatform.ids import ImageId, NodeId
from zcplatform.store.db import Tx, columns, many, names, one


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
        """Whether nothing but the time of the look differs."""
        return other is not None and replace(self, seen_at=other.seen_at) == other

    @property
    def problem_list(self) -> list[str]:
        found = json.loads(self.problems)
        return [str(problem) for problem in found] if isinstance(found, list) else []


def everything(tx: Tx) -> list[MachineRow]:
    return many(tx, MachineRow, f"SELECT {names(MachineRow)} FROM machines ORDER BY id")


def get(tx: Tx, node_id: str) -> MachineRow | None:
    return one(tx, MachineRow, f"SELECT {names(MachineRow)} FROM machines WHERE id = ?", node_id)


def put(tx: Tx, rows: Iterable[MachineRow]) -> None:
    marks = ", ".join("?" for _ in columns(MachineRow))
    for row in rows:
        tx.execute(
            f"INSERT OR REPLACE INTO machines ({names(MachineRow)}) VALUES ({marks})", [getattr(row, name) for name in columns(MachineRow)]
        )


def image_places(tx: Tx, image_id: ImageId) -> list[NodeId]:
    """The machines that have the image."""
    return [NodeId(node) for (node,) in tx.execute("SELECT node_id FROM image_places WHERE image_id = ? ORDER BY node_id", (image_id,))]


def set_image_places(tx: Tx, image_id: ImageId, nodes: Collection[NodeId], at: str) -> None:
    tx.execute("DELETE FROM image_places WHERE image_id = ?", (image_id,))
    for node in sorted(nodes):
        tx.execute("INSERT INTO image_places (image_id, node_id, seen_at) VALUES (?, ?, ?)", (image_id, node, at))
