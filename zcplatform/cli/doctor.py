"""zcplatform doctor: looks at this host and says what is missing and what to do."""

import sys

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson
from zcplatform.cli.global_options import given
from zcplatform.cli.platform_facts import with_platform

MARKS = {"ok": "✔", "warning": "!", "unknown": "?", "problem": "✘"}


def doctor(context: typer.Context, json: AsJson = False) -> None:
    """Check this host: engine, versions, kernel, ports, disk, clock, database, loops. Exits with 1 when something keeps the platform from working."""
    from zcplatform import edge, settings
    from zcplatform.adapters.facts import facts
    from zcplatform.core.doctor import findings

    loaded = settings.load(given(context).settings)
    found = findings(with_platform(facts(loaded, edge.binary(loaded)), loaded))
    if json:
        output.print_json([{"level": str(one.level), "subject": one.subject, "detail": one.sentence, "hint": one.advice} for one in found])
    else:
        for one in found:
            output.print_line(f"{output.mark(MARKS[str(one.level)], sys.stdout)} {one.subject}: {one.sentence}")
            if one.advice and str(one.level) != "ok":
                output.print_line(f"    {one.advice}")
    raise typer.Exit(int(any(str(one.level) == "problem" for one in found)))
