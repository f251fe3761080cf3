"""Tables for people, JSON for programs. Text from agents and rows is printed literally: no markup, no control characters."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

COLOURS = {
    "running": "green",
    "ready": "green",
    "succeeded": "green",
    "failed": "red",
    "crash_loop": "red",
    "degraded": "yellow",
    "suspended": "yellow",
    "unknown": "yellow",
    "waiting": "yellow",
}


def print_json(value: object, indent: int | None = 2) -> None:
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")


def print_line(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def printable(value: object) -> str:
    """One line, nothing a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "·" for character in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Words of states in their colours; `empty` is said when there is nothing."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not rows:
        print_line(empty)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(printable(cell), style=COLOURS.get(str(cell), "")) for cell in row))
    console = Console()
    console.print(drawn) if console.is_terminal else Console(width=200).print(drawn)


def print_facts(pairs: Mapping[str, Any]) -> None:
    """One object, a fact a line; what is not there is left out."""
    widest = max(len(name) for name in pairs)
    for name, value in pairs.items():
        if value is not None:
            print_line(f"{name.ljust(widest)}  {value}")


def short(value: object) -> str:
    """A value of a document in a cell."""
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
