"""zcplatform config …"""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from zcplatform.cli import output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Settings of a tenant's agent.")
Note = Annotated[str | None, typer.Option(help="What the change is for; kept with the revision.")]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--ask",
        metavar="NAME",
        help="A secret to save with the change, for example providers.main.api_key: asked for, or read as a line of standard input. Repeat for several.",
    ),
]


@app.command()
def show(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Show all settings with their defaults, and which secrets have a value."""
    with open_api(context) as api:
        config = api.get(route("tenants", tenant, "config"))
    output.print_json(config if json else config["settings"])
    if not json:
        for secret in config["secrets"]:
            output.print_line(f"{secret['name']}: {'saved' if secret['is_stored'] else 'required' if secret['is_needed'] else 'none'}")


@app.command("set")
def change(
    context: typer.Context,
    tenant: Tenant,
    pairs: Annotated[list[str] | None, typer.Argument(metavar="PATH=VALUE", help="For example providers.main.temperature=0.3")] = None,
    unset: Annotated[list[str] | None, typer.Option(help="Path to remove, or to set back to its default. Repeat for several.")] = None,
    file: Annotated[Path | None, typer.Option(help="File with a JSON merge patch of the settings.")] = None,
    instructions: Annotated[Path | None, typer.Option(help="File with the agent's instructions (AGENTS.md).")] = None,
    secret: Secrets = None,
    note: Note = None,
    no_wait: NoWait = False,
    json: AsJson = False,
) -> None:
    """Change settings. The whole result is checked before anything is saved; a running agent restarts with it.

    Choose a model and give its key in one step:
    zcplatform config set acme providers.main.family=anthropic providers.main.model=claude-sonnet-4-5 --ask providers.main.api_key
    """
    settings = _patch_file(file) if file else {}
    settings |= values.patch(pairs or (), unset or ())
    if instructions is not None:
        settings["instructions"] = values.read_text(instructions)
    if not settings and not secret:
        raise typer.BadParameter("nothing to change: give PATH=VALUE, --unset, --file, --instructions or --ask")
    body: dict[str, Any] = {"settings": settings} | ({"note": note} if note else {})
    if secret:
        body["secrets"] = values.secrets(secret)
    submit(context, "PATCH", route("tenants", tenant, "config"), body, wait=not no_wait, json=json)


def _patch_file(path: Path) -> dict[str, Any]:
    try:
        document = json_module.loads(values.read_text(path))
    except ValueError as error:
        raise typer.BadParameter(f"{path} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise typer.BadParameter(f"{path} is not a JSON object")
    return document
