"""zcplatform secrets …"""

from typing import Annotated

import typer

from zcplatform.cli import output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="Keys and passwords of a tenant's settings; nobody is ever shown one.")
Name = Annotated[str, typer.Argument(metavar="SECRET", help="For example provider.main.api_key; `secrets list` names them.")]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """The places for secrets, which have a value, how long ones end, and since when."""
    with open_api(context) as api:
        items = api.items(route("tenants", tenant, "secrets"))
    if json:
        output.print_json(items)
        return
    rows = [
        (
            one["name"],
            "saved" if one["is_stored"] else "needed" if one["is_needed"] else "",
            f"…{one['hint']}" if one["hint"] else "",
            one["host"],
            one["updated_at"],
            one["error"],
        )
        for one in items
    ]
    output.print_table(("SECRET", "", "ENDS", "FOR", "SINCE", "WHY"), rows, "These settings have no place for a secret.")


@app.command("set")
def put(context: typer.Context, tenant: Tenant, name: Name, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Save a value: asked for and not shown, or one line from standard input."""
    body = {"value": values.secrets((name,))[name]}
    submit(context, "PUT", route("tenants", tenant, "secrets", name), body, wait=not no_wait, json=json)


@app.command()
def rm(context: typer.Context, tenant: Tenant, name: Name, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Take a value away that the settings do not need any more."""
    submit(context, "DELETE", route("tenants", tenant, "secrets", name), None, wait=not no_wait, json=json)
