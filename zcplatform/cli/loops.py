"""zcplatform loops: the periodic tasks of the worker."""

import typer

from zcplatform import clock
from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, open_api, route

COLUMNS = ("LOOP", "EVERY", "STATE", "LAST ROUND", "TOOK", "ROUNDS", "ERROR")


def loops(context: typer.Context, json: AsJson = False) -> None:
    """List the worker's periodic tasks: period, last round, errors. Exits with 1 when one is late or failing."""
    with open_api(context) as api:
        items = api.get(route("loops"))["items"]
    if json:
        output.print_json(items)
    else:
        output.print_table(COLUMNS, [_row(item) for item in items], "No loops.")
    raise typer.Exit(int(any(item["is_late"] or item["error_code"] for item in items)))


def _row(item: dict[str, object]) -> tuple[str, ...]:
    if item["is_late"]:
        state = "late"
    elif item["error_code"]:
        state = f"failing ({item['failures']})"
    else:
        state = "running" if item["is_running"] else "ok"
    took = item["duration_s"]
    return (
        str(item["name"]),
        f"{item['period_s']:g} s",
        state,
        formats.age(str(item["started_at"] or ""), clock.now()) or "-",
        f"{took:.3f} s" if isinstance(took, float) else "-",
        str(item["rounds"]),
        str(item["error"] or "-"),
    )
