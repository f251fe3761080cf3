"""zcplatform drift …"""

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Changes that the agent or its dashboard made to its own configuration file.")


@app.command()
def show(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """Show how the agent's file differs from the settings it started with."""
    with open_api(context) as api:
        drift = api.get(route("tenants", tenant, "drift"))
    if json:
        output.print_json(drift)
        return
    rows = [
        (one["path"], output.short(one["rendered"]), output.short(one["found"]), "yes" if one["can_be_kept"] else "no")
        for one in drift["changes"]
    ]
    output.print_table(("PATH", "SETTING", "IN THE FILE", "CAN BE KEPT"), rows, "The file is as the platform wrote it.")


@app.command()
def keep(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Save the changes that settings exist for as a revision, and discard the rest."""
    submit(context, "POST", route("tenants", tenant, "drift", "keep"), None, wait=not no_wait, json=json)


@app.command()
def discard(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Write the file again from the settings. A running agent restarts."""
    submit(context, "POST", route("tenants", tenant, "drift", "discard"), None, wait=not no_wait, json=json)
