"""What a measurement gives: figures with their spread, held against a target. Only arithmetic and text; nothing is measured here."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Figure:
    """One line of the table: the median is what is held against the target."""

    name: str
    unit: str
    n: int
    least: float
    median: float
    most: float
    target: float | None = None

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else self.median <= self.target


@dataclass
class Report:
    """What one program measured. `steps` shows where the time was spent, in seconds."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    steps: dict[str, dict[str, float]] = field(default_factory=dict)


def figure(name: str, unit: str, values: Iterable[float], target: float | None = None) -> Figure:
    found = list(values)
    return Figure(name, unit, len(found), min(found), median(found), max(found), target)


def ratio(name: str, ours: Sequence[float], theirs: Sequence[float], target: float) -> Figure:
    """Pair by pair: what was measured at nearly the same moment is divided."""
    return figure(name, "×", (one / other for one, other in zip(ours, theirs, strict=True)), target)


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(report: Report) -> str:
    rows: list[tuple[str, ...]] = [("", "n", "min", "median", "max", "target", "")]
    for one in report.figures:
        verdict = {None: "", True: "met", False: "MISSED"}[one.is_met]
        target = "" if one.target is None else f"≤ {one.target:g} {one.unit}"
        rows.append(
            (f"{one.name} [{one.unit}]", str(one.n), *(f"{value:.3f}" for value in (one.least, one.median, one.most)), target, verdict)
        )
    lines = [report.name, *_aligned(rows)]
    for title, steps in report.steps.items():
        lines += ["", f"{title} (median seconds)", *_aligned([(name, f"{value:.3f}") for name, value in steps.items()])]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def save(path: Path, reports: Sequence[Report]) -> None:
    path.write_text(json.dumps([asdict(report) for report in reports], indent=1, ensure_ascii=False) + "\n")
