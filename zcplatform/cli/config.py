"""zcplatform config …"""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from zcplatform.cli import output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="The settings of a tenant's agent.")
Note = Annotated[str | None, typer.Option(help="What it is for; stands with the revision.")]


@app.command()
def show(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """All settings with their defaults, and which secrets have a value."""
    with open_api(context) as api:
        told = api.get(route("tenants", tenant, "config"))
    output.print_json(told if json else told["settings"])
    if not json:
        for secret in told["secrets"]:
            output.print_line(f"{secret['name']}: {'saved' if secret['is_stored'] else 'needed' if secret['is_needed'] else 'none'}")


@app.command("set")
def change(
    context: typer.Context,
    tenant: Tenant,
    pairs: Annotated[list[str] | None, typer.Argument(metavar="PATH=VALUE", help="For example providers.main.temperature=0.3")] = None,
    unset: Annotated[list[str] | None, typer.Option(help="Path of something to take away, or back to its default.")] = None,
    file: Annotated[Path | None, typer.Option(help="JSON merge patch of the settings.")] = None,
    instructions: Annotated[Path | None, typer.Option(help="File with the agent's instructions (AGENTS.md).")] = None,
    note: Note = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Change settings. Checked whole before anything is saved; a running agent is brought to them."""
    settings = _file(file) if file else {}
    settings |= values.patch(pairs or (), unset or ())
    if instructions is not None:
        settings["instructions"] = _read(instructions)
    if not settings:
        raise typer.BadParameter("nothing to change: PATH=VALUE, --unset, --file or --instructions")
    body: dict[str, Any] = {"settings": settings} | ({"note": note} if note else {})
    submit(context, "PATCH", route("tenants", tenant, "config"), body, wait=not no_wait, json=json)


def _file(path: Path) -> dict[str, Any]:
    try:
        found = json_module.loads(_read(path))
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{path} is not a JSON object")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} can not be read: {getattr(error, 'strerror', None) or 'it is no text'}") from None
