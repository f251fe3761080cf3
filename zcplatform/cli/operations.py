"""zcplatform operations …"""

from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, Tenant, open_api, route

app = typer.Typer(no_args_is_help=True, help="What was asked for, and how it goes.")
OperationId = Annotated[str, typer.Argument(metavar="OPERATION", help="Id of an operation.")]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """A tenant's operations, newest first."""
    with open_api(context) as api:
        items = api.items(route("tenants", tenant, "operations"))
    if json:
        output.print_json(items)
        return
    rows = [(item["id"], item["kind"], item["status"], item["created_at"], item["requested_by"], item["reason"]) for item in items]
    output.print_table(("ID", "WHAT", "STATUS", "ASKED AT", "BY", "WHY"), rows, "Nothing was asked for yet.")


@app.command()
def show(context: typer.Context, operation: OperationId, json: AsJson = False) -> None:
    """One operation with its steps."""
    with open_api(context) as api:
        told = api.get(route("operations", operation))
    if json:
        output.print_json(told)
        return
    output.print_line(f"{told['kind']} {told['status']} {told['reason']}")
    rows = [
        (step["name"], step["status"], step["attempts"], step["started_at"], step["finished_at"], step["error"]) for step in told["steps"]
    ]
    output.print_table(("STEP", "STATUS", "ATTEMPTS", "FROM", "TO", "ERROR"), rows, "No steps yet.")


@app.command()
def watch(context: typer.Context, operation: OperationId, json: AsJson = False) -> None:
    """Follow an operation live until it ends."""
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        ended = follow(api, api.get(route("operations", operation)), quiet=json)
    if json:
        output.print_json(ended)
    else:
        output.print_line(f"{ended['kind']} {ended['status']}")
