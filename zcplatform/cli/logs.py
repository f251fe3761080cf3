"""zcplatform tenants logs: what an agent printed, up to now or as it comes."""

import sys
from typing import Annotated

import typer

from zcplatform import clock
from zcplatform.cli import formats, output
from zcplatform.cli.context import AsJson, Tenant, open_api, route


def logs(
    context: typer.Context,
    tenant: Tenant,
    tail: Annotated[int, typer.Option(help="Number of lines from the end.")] = 100,
    since: Annotated[str | None, typer.Option(help="Only newer lines: 90s, 5m, 2h, 3d, or a time as 2026-01-31T12:00:00Z.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow new output.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Show the time of each line.")] = False,
    json: AsJson = False,
) -> None:
    """Show what the agent printed."""
    query = {
        "tail": tail,
        "since": formats.since(since, clock.now()),
        "follow": str(follow).lower(),
        "timestamps": str(timestamps).lower(),
    }
    with open_api(context) as api, api.stream(route("tenants", tenant, "logs"), query) as lines:
        for line in lines:
            output.print_json({"line": line}, indent=None) if json else output.print_line(line.expandtabs())
            sys.stdout.flush()
