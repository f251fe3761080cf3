"""zcplatform events: what became true on the platform, as it happens."""

import json as json_module
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zcplatform.cli import output
from zcplatform.cli.context import AsJson, complete_slug, open_api, route
from zcplatform.cli.errors import CommandError

if TYPE_CHECKING:
    from zcplatform.cli.client import Api

SILENCE_S = 40
"""The stream says something every 15 seconds; a silent one has broken without a word."""
RECONNECT_EVERY_S = 1
OUTAGE_S = 60
WAITING = "Waiting for events. Ctrl+C ends."


def events(
    context: typer.Context,
    tenant: Annotated[
        str | None, typer.Argument(metavar="[TENANT]", help="Slug or id. Default: all tenants you may see.", autocompletion=complete_slug)
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Begin after this event instead of now; 0 shows all that are kept.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow/--no-follow", "-f", help="Keep following, or end after the events that are there already.")
    ] = True,
    json: AsJson = False,
) -> None:
    """Follow events: state changes, operations, members. Reconnects without losing any."""
    with open_api(context) as api:
        for event in _events(api, tenant, after or "", follow=follow):
            if json:
                output.print_json(event, indent=None)
            else:
                output.print_line(_line(event))
            sys.stdout.flush()


def _events(api: "Api", tenant: str | None, last: str, *, follow: bool) -> Iterator[dict[str, Any]]:
    """One after the other; a stream that breaks is taken up where it broke."""
    give_up_at = time.monotonic() + OUTAGE_S
    is_note_due = follow and sys.stderr.isatty()
    while True:
        try:
            with api.stream(route("events"), {"tenant": tenant}, accept="text/event-stream", silence_s=SILENCE_S, last_event=last) as lines:
                if is_note_due:
                    output.print_error(WAITING)
                    is_note_due = False
                for event in _parse(lines, follow=follow):
                    last, give_up_at = str(event["id"]), time.monotonic() + OUTAGE_S
                    yield event
            if not follow:
                return
        except CommandError as error:
            is_outage = error.code == "api.unreachable" or error.status in (502, 503, 504)
            if not is_outage or time.monotonic() > give_up_at:
                raise
        time.sleep(RECONNECT_EVERY_S)


def _parse(lines: Iterator[str], *, follow: bool) -> Iterator[dict[str, Any]]:
    """The events of a server-sent stream. Without `follow` it ends at the first sign that nothing more is there."""
    number = ""
    for line in lines:
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            yield {"id": number, **json_module.loads(line[6:])}
        elif line == ": " and not follow:
            return


def _line(event: dict[str, Any]) -> str:
    known = ("id", "at", "kind", "tenant_id", "object_id")
    more = " ".join(f"{name}={output.short(value)}" for name, value in event.items() if name not in known)
    return f"{event['id']}  {event['at']}  {event['kind']}  {event['tenant_id'] or '-'}  {event['object_id'] or '-'}  {more}".rstrip()
