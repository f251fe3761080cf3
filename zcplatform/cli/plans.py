"""zcplatform plans …"""

from typing import Annotated

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, open_api, route
from zcplatform.cli.errors import CommandError

app = typer.Typer(no_args_is_help=True, help="What a tenant of a plan gets.")
COLUMNS = ("memory_bytes", "cpu_millis", "pids", "disk_bytes", "channels", "members", "agents", "messages_day", "tokens_month")


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """All plans."""
    with open_api(context) as api:
        items = api.items(route("plans"))
    if json:
        output.print_json(items)
        return
    rows = [(item["name"], *(item[column] for column in COLUMNS), f"{item['dollars_month_micros'] / 1e6:.2f}") for item in items]
    output.print_table(("PLAN", *(column.upper() for column in COLUMNS), "DOLLARS_MONTH"), rows, "No plans.")


@app.command("set")
def change(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(help="Name of the plan.")],
    numbers: Annotated[list[str], typer.Argument(metavar="LIMIT=NUMBER...", help="For example members=10 memory_bytes=268435456.")],
    json: AsJson = False,
) -> None:
    """Edit a plan's numbers. Running agents of it are started again where a limit of their container changed."""
    wish: dict[str, object] = {}
    for text in numbers:
        name, _, number = text.partition("=")
        if not number.isdecimal():
            raise CommandError("plan.number", f"`{text}` is not LIMIT=NUMBER", "for example members=10")
        wish[name] = int(number)
    with open_api(context) as api:
        told = api.send("PATCH", route("plans", plan), wish)
    output.print_json(told) if json else output.print_facts(told)
