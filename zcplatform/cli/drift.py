"""zcplatform drift …"""

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="What the agent or its dashboard changed in its own file.")


@app.command()
def show(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """What differs from the settings it was started with."""
    with open_api(context) as api:
        told = api.get(route("tenants", tenant, "drift"))
    if json:
        output.print_json(told)
        return
    rows = [
        (one["path"], output.short(one["rendered"]), output.short(one["found"]), "" if one["can_be_kept"] else "can not be kept")
        for one in told["changes"]
    ]
    output.print_table(("WHERE", "WRITTEN", "FOUND", ""), rows, "Nothing was changed.")


@app.command()
def keep(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Save what the settings have a place for as a revision; the rest is discarded."""
    submit(context, "POST", route("tenants", tenant, "drift", "keep"), None, wait=not no_wait, json=json)


@app.command()
def discard(context: typer.Context, tenant: Tenant, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Write the file anew as the settings say."""
    submit(context, "POST", route("tenants", tenant, "drift", "discard"), None, wait=not no_wait, json=json)
