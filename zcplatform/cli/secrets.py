"""zcplatform secrets …"""

from typing import Annotated

import typer

from zcplatform import clock
from zcplatform.cli import formats, output, values
from zcplatform.cli.context import AsJson, NoWait, Tenant, open_api, route
from zcplatform.cli.requests import submit

app = typer.Typer(no_args_is_help=True, help="API keys and passwords of a tenant. They can be set, but are never shown.")
Name = Annotated[str, typer.Argument(metavar="SECRET", help="For example providers.main.api_key; zcplatform secrets list shows the names.")]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List the secrets that a tenant's settings have a place for, and which of them have a value."""
    with open_api(context) as api:
        items = api.items(route("tenants", tenant, "secrets"))
    if json:
        output.print_json(items)
        return
    rows = [
        (
            one["name"],
            "saved" if one["is_stored"] else "required" if one["is_needed"] else "none",
            f"…{one['hint']}" if one["hint"] else "",
            one["host"],
            formats.age(one["updated_at"], clock.now()),
            one["error"],
        )
        for one in items
    ]
    output.print_table(
        ("SECRET", "VALUE", "ENDS WITH", "SENT ONLY TO", "SAVED", "ERROR"), rows, "These settings have no place for a secret."
    )


@app.command("set")
def put(context: typer.Context, tenant: Tenant, name: Name, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Save a secret: typed at a prompt that does not show it, or one line of standard input. A running agent restarts."""
    body = {"value": values.secrets((name,))[name]}
    submit(context, "PUT", route("tenants", tenant, "secrets", name), body, wait=not no_wait, json=json)


@app.command()
def rm(context: typer.Context, tenant: Tenant, name: Name, no_wait: NoWait = False, json: AsJson = False) -> None:
    """Delete a secret that the settings do not require."""
    submit(context, "DELETE", route("tenants", tenant, "secrets", name), None, wait=not no_wait, json=json)
