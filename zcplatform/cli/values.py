"""What people type as values: `path=value` for settings, and secrets, which are asked for and never an argument."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import typer

SHORT = 2
"""Parts of a path after which a channel's name (`type.alias`) ends."""


def patch(pairs: Iterable[str], gone: Iterable[str] = ()) -> dict[str, Any]:
    """A JSON merge patch. A value is JSON where it can be read as such, else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        path, separator, text = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair[:80]!r} is not PATH=VALUE")
        _put(found, path, value(text))
    for path in gone:
        _put(found, path, None)
    return found


def options(pairs: Iterable[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{pair[:80]!r} is not NAME=VALUE")
        found[name] = value(text)
    return found


def value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(found: dict[str, Any], path: str, new: Any) -> None:
    parts = path.split(".")
    if parts[0] == "channels" and len(parts) > SHORT:
        parts[1:3] = [".".join(parts[1:3])]
    if not all(parts):
        raise typer.BadParameter(f"{path[:80]!r} is not the path of a setting")
    for part in parts[:-1]:
        inside = found.setdefault(part, {})
        if not isinstance(inside, dict):
            raise typer.BadParameter(f"{path[:80]!r} and another one can not both be set")
        found = inside
    found[parts[-1]] = new


def secrets(names: Iterable[str]) -> dict[str, str]:
    """Asked for one by one and not shown, or one a line from standard input: an argument would be in the process table and the shell's history."""
    found = {}
    for name in names:
        typed = typer.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        if not str(typed).strip():
            raise typer.BadParameter(f"nothing was given for {name}")
        found[name] = str(typed).strip()
    return found
