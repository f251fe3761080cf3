"""How options and arguments are shown in `--help`: names for people instead of the types of the program, nothing for switches."""

from pathlib import Path
from typing import Any

import typer

HELP = ["--help", "-h"]
NAMES = {Path: "FILE", int: "NUMBER"}


def tidy(command: Any) -> None:
    """For a command and everything below it."""
    _tidy(command)
    for inner in getattr(command, "commands", {}).values():
        tidy(inner)


def _tidy(command: Any) -> None:
    own_help = command.get_help_option(typer.Context(command, help_option_names=HELP))
    for parameter in [*command.params, *([own_help] if own_help is not None else [])]:
        kind = parameter.type_descriptor.annotation
        is_option = parameter.opts[0].startswith("-")
        if is_option and kind is not bool and parameter.metavar is None:
            parameter.metavar = NAMES.get(kind, "TEXT")
        elif not is_option or kind is bool:
            parameter.display_type_rich = _nothing


def _nothing(ctx: object) -> None:
    """In place of a type."""
