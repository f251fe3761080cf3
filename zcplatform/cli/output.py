"""Tables for people, JSON for programs. Text from agents and rows is printed literally: no markup, no control characters.

A table never breaks or cuts a value: an id or a URL in it can be copied. On a terminal that is too narrow each row becomes a block of
`NAME  value` lines. Everywhere else lines are as long as they need to be.
"""

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

COLOURS = {
    "running": "32",
    "ready": "32",
    "succeeded": "32",
    "failed": "31",
    "crash_loop": "31",
    "degraded": "33",
    "suspended": "33",
    "unknown": "33",
    "waiting": "33",
}
PLAIN_MARKS = {"✔": "+", "✘": "x", "▸": ">", "·": ".", "→": "->", "…": "...", "✱": "*"}
GAP = "  "
SHORT = 80


def prepare_streams() -> None:
    """Make printing possible on a terminal whose character set lacks some of our marks or of an agent's text."""
    for stream in (sys.stdout, sys.stderr):
        if not _is_unicode(stream) and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def mark(character: str, stream: TextIO) -> str:
    """A mark as this stream can show it."""
    return character if _is_unicode(stream) else PLAIN_MARKS.get(character, "?")


def _is_unicode(stream: TextIO) -> bool:
    return (stream.encoding or "").lower().replace("-", "").startswith("utf")


def print_json(value: object, indent: int | None = 2) -> None:
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")


def print_line(text: str) -> None:
    sys.stdout.write(printable(text) + "\n")


def print_error(text: str) -> None:
    """One line on standard error, for progress, notes and prompts."""
    sys.stderr.write(printable(text) + "\n")


def printable(value: object) -> str:
    """One line without anything a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "·" for character in text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """States in their colours; columns that are empty in every row are left out; `empty` is printed when there are no rows."""
    if not rows:
        print_line(empty)
        return
    texts = [[printable(cell) for cell in row] for row in rows]
    used = [index for index in range(len(columns)) if any(row[index] for row in texts)]
    texts = [[row[index] for index in used] for row in texts]
    names = [columns[index] for index in used]
    widths = [max(_width(text) for text in column) for column in zip(names, *texts, strict=True)]
    is_terminal = sys.stdout.isatty()
    if is_terminal and sum(widths) + len(GAP) * (len(widths) - 1) > shutil.get_terminal_size().columns:
        _print_blocks(names, texts)
        return
    _print_cells([_coloured(name, "1") for name in names] if is_terminal else names, names, widths)
    for row in texts:
        _print_cells([_coloured(text, COLOURS.get(text, "")) for text in row] if is_terminal else row, row, widths)


def _print_cells(shown: Sequence[str], texts: Sequence[str], widths: Sequence[int]) -> None:
    padded = [cell + " " * (width - _width(text)) for cell, text, width in zip(shown, texts, widths, strict=True)]
    sys.stdout.write(GAP.join(padded).rstrip() + "\n")


def _print_blocks(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row as lines of its own; values wrap where the terminal wraps them, which copies as one line."""
    widest = max(len(name) for name in names)
    for number, row in enumerate(rows):
        if number:
            sys.stdout.write("\n")
        for name, text in zip(names, row, strict=True):
            if text:
                sys.stdout.write(f"{name.ljust(widest)}{GAP}{_coloured(text, COLOURS.get(text, ''))}".rstrip() + "\n")


def print_facts(pairs: Mapping[str, Any]) -> None:
    """One object, one fact a line; facts that are None are left out."""
    shown = {name: value for name, value in pairs.items() if value is not None}
    widest = max((len(name) for name in shown), default=0)
    for name, value in shown.items():
        print_line(f"{name.ljust(widest)}{GAP}{value}")


def _coloured(text: str, code: str) -> str:
    if not code or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def _width(text: str) -> int:
    """Columns that a terminal needs for this text."""
    return sum(0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def short(value: object) -> str:
    """A value of a document in a cell: the only text that a table shortens; `--json` has it whole."""
    text = "" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
