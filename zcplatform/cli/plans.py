"""zcplatform plans …"""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, open_api, route
from zcplatform.cli.errors import CommandError

app = typer.Typer(no_args_is_help=True, help="Plans and what a tenant of each gets.")
SIZES = ("memory", "disk")
COLUMNS = ("memory", "cpu_millis", "pids", "disk", "channels", "members", "agents", "messages_day", "tokens_month", "dollars_month")


@app.command("list")
def listing(context: typer.Context, json: AsJson = False) -> None:
    """List plans with their limits."""
    with open_api(context) as api:
        items = api.items(route("plans"))
    if json:
        output.print_json(items)
        return
    rows = [(item["name"], *(_shown(item, column) for column in COLUMNS)) for item in items]
    output.print_table(("PLAN", *(column.upper() for column in COLUMNS)), rows, "No plans.")


@app.command("set")
def change(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(help="Name of the plan.")],
    limits: Annotated[list[str], typer.Argument(metavar="LIMIT=VALUE", help="For example members=10 memory=512M dollars_month=5.00")],
    json: AsJson = False,
) -> None:
    """Change limits of a plan. Names and units are those that `plans list` shows.

    Running agents of the plan restart where a limit of their container changed.
    """
    sent = dict(_parsed(text) for text in limits)
    with open_api(context) as api:
        changed = api.send("PATCH", route("plans", plan), sent)
    output.print_json(changed) if json else output.print_facts(_facts(changed))


def _parsed(text: str) -> tuple[str, object]:
    """The API's name and unit: bytes, micro-dollars, counts."""
    name, separator, typed = text.partition("=")
    read: Callable[[str], int | None] = _count
    field, example = name, "members=10"
    if name.removesuffix("_bytes") in SIZES:
        field, read, example = f"{name.removesuffix('_bytes')}_bytes", formats.parse_size, "memory=512M"
    elif name == "dollars_month":
        field, read, example = "dollars_month_micros", formats.parse_dollars, "dollars_month=5.00"
    value = read(typed)
    if not separator or value is None:
        raise CommandError("plan.number", f"`{text}` is not LIMIT=VALUE", f"For example {example}; zcplatform plans list shows the names.")
    return field, value


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() else None


def _shown(item: dict[str, Any], column: str) -> object:
    if column in SIZES:
        return formats.size(item[f"{column}_bytes"])
    return formats.dollars(item["dollars_month_micros"]) if column == "dollars_month" else item.get(column)


def _facts(item: dict[str, Any]) -> dict[str, object]:
    names = [name.removesuffix("_bytes").removesuffix("_micros") for name in item]
    return {name: value for name in names if (value := _shown(item, name)) not in (None, [])}
