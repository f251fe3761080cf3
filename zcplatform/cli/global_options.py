"""Options that every command takes, before and after its name: where the API is, who is calling, and why.

They are added to each command of the finished tree, so no command declares them. A value given further to the right wins.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.main

from zcplatform.cli.credentials import API_VARIABLE, TOKEN_VARIABLE

PANEL = "Global options"
KEY = "zcplatform."
ON_HOST = frozenset({"admin", "doctor", "edge", "serve"})
"""Commands for root on the host: of the global options they take the settings file only."""


@dataclass(frozen=True)
class Options:
    """`settings` is for commands on the host."""

    api: str | None = None
    token_file: Path | None = None
    settings: Path | None = None
    reason: str | None = None


def given(context: typer.Context) -> Options:
    """The global options of this call."""
    return Options(**{name: context.meta.get(KEY + name) for name in Options.__dataclass_fields__})


def _remember(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    if value is not None:
        context.meta[KEY + str(parameter.name)] = value
    return value


def _declared(
    api: Annotated[
        str | None,
        typer.Option(help=f"Address of the API. Default: {API_VARIABLE}, or the current login.", callback=_remember, rich_help_panel=PANEL),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(help=f"File that holds a token. Default: {TOKEN_VARIABLE}, or the login.", callback=_remember, rich_help_panel=PANEL),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            help="Why you act as a super-admin in a tenant of others; its owners read it.", callback=_remember, rich_help_panel=PANEL
        ),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="The settings file, on the host.", callback=_remember, rich_help_panel=PANEL)
    ] = None,
) -> None:
    """Where the options are declared once; never called."""


def add_to(command: Any) -> Any:
    """Add the options to a command and everything below it; returns the command."""
    holder = typer.Typer(add_completion=False)
    holder.command()(_declared)
    parameters = typer.main.get_command(holder).params
    for parameter in parameters:
        parameter.expose_value = False
    _add(command, parameters, is_on_host=False)
    return command


def _add(command: Any, parameters: list[Any], *, is_on_host: bool) -> None:
    present = {parameter.name for parameter in command.params}
    for parameter in parameters:
        if parameter.name not in present and (parameter.name == "settings" or not is_on_host):
            command.params.append(copy.copy(parameter))
    for name, inner in getattr(command, "commands", {}).items():
        _add(inner, parameters, is_on_host=is_on_host or name in ON_HOST)
