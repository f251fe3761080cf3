"""Values as people type them: `PATH=VALUE` for settings, and secrets, which are typed at a prompt and are never an argument."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from zcplatform.cli import prompts

SHORT = 2
"""Parts of a path after which a channel's name (`type.alias`) ends."""


def patch(pairs: Iterable[str], removed: Iterable[str] = ()) -> dict[str, Any]:
    """A JSON merge patch. A value is JSON where it can be read as JSON, otherwise text."""
    document: dict[str, Any] = {}
    for pair in pairs:
        path, separator, text = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair[:80]!r} is not PATH=VALUE")
        _put(document, path, value(text))
    for path in removed:
        _put(document, path, None)
    return document


def options(pairs: Iterable[str]) -> dict[str, Any]:
    named = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise typer.BadParameter(f"{pair[:80]!r} is not NAME=VALUE")
        named[name] = value(text)
    return named


def value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _put(document: dict[str, Any], path: str, new: Any) -> None:
    parts = path.split(".")
    if parts[0] == "channels" and len(parts) > SHORT:
        parts[1:3] = [".".join(parts[1:3])]
    if not all(parts):
        raise typer.BadParameter(f"{path[:80]!r} is not the path of a setting")
    for part in parts[:-1]:
        inside = document.setdefault(part, {})
        if not isinstance(inside, dict):
            raise typer.BadParameter(f"{path[:80]!r} and another path cannot both be set")
        document = inside
    document[parts[-1]] = new


def secrets(names: Iterable[str]) -> dict[str, str]:
    """Asked for one by one and not shown, or one a line from standard input: arguments show in the process table and the shell's history."""
    typed = {}
    for name in names:
        typed[name] = prompts.ask(name, is_secret=True)
        if not typed[name]:
            raise typer.BadParameter(f"no value was given for {name}")
    return typed


def secret_file(path: Path, name: str) -> str:
    """A secret from a file; `-` asks for it at a terminal, and else reads all of standard input."""
    if str(path) != "-":
        secret = read_text(path).strip()
    elif sys.stdin.isatty():
        secret = prompts.ask(name, is_secret=True)
    else:
        secret = sys.stdin.read().strip()
    if not secret:
        raise typer.BadParameter(f"{name}: no value was given")
    return secret


def read_text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}") from None
