"""zcplatform operations …"""

from typing import Annotated, Any

import typer

from zcplatform import clock
from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, Tenant, open_api, route

app = typer.Typer(no_args_is_help=True, help="Requests that take a while, and their progress.")
OperationId = Annotated[str, typer.Argument(metavar="OPERATION", help="Id of an operation.")]


@app.command("list")
def listing(context: typer.Context, tenant: Tenant, json: AsJson = False) -> None:
    """List a tenant's operations, newest first."""
    with open_api(context) as api:
        items = api.items(route("tenants", tenant, "operations"))
    if json:
        output.print_json(items)
        return
    now = clock.now()
    rows = [
        (item["id"], item["kind"], item["status"], formats.age(item["created_at"], now), item["requested_by"], item["reason"])
        for item in items
    ]
    output.print_table(("ID", "KIND", "STATUS", "REQUESTED", "BY", "REASON"), rows, "No operations yet.")


@app.command()
def show(context: typer.Context, operation: OperationId, json: AsJson = False) -> None:
    """Show one operation with its steps."""
    with open_api(context) as api:
        found = api.get(route("operations", operation))
    if json:
        output.print_json(found)
        return
    output.print_line(f"{found['kind']} {found['status']} {found['reason']}".rstrip())
    rows = [_step(step) for step in found["steps"]]
    output.print_table(("STEP", "STATUS", "ATTEMPTS", "STARTED", "TOOK", "ERROR"), rows, "No steps yet.")


def _step(step: dict[str, Any]) -> tuple[object, ...]:
    took = formats.elapsed(step["started_at"], step["finished_at"])
    return (step["name"], step["status"], step["attempts"], formats.age(step["started_at"], clock.now()), took, step["error"])


@app.command()
def watch(context: typer.Context, operation: OperationId, json: AsJson = False) -> None:
    """Follow an operation until it ends. Exits with 1 when it fails."""
    from zcplatform.cli.progress import follow

    with open_api(context) as api:
        ended = follow(api, api.get(route("operations", operation)), quiet=json)
    output.print_json(ended) if json else output.print_line(f"{ended['kind']} {ended['status']}")
