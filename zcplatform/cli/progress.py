"""An operation as it goes: its steps live on a terminal, one line each elsewhere. Follows the event stream, and asks now and then if that breaks.

Looking again and again is harmless, so an API that is away for some seconds (the platform is started again) is waited for.
"""

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from zcplatform.cli.client import Api
from zcplatform.cli.context import route
from zcplatform.cli.errors import CommandError
from zcplatform.cli.output import printable

POLL_EVERY_S = 0.5
SILENCE_S = 40
"""The stream says something every 15 seconds; one that does not has broken off without a word."""
OUTAGE_S = 30
MARKS = {"pending": "·", "running": "▸", "succeeded": "✔", "failed": "✘"}
Operation = dict[str, Any]


def follow(api: Api, operation: Operation, *, quiet: bool = False) -> Operation:
    """Show an operation until it ended and return it. Raises CommandError when it did not succeed."""
    try:
        ended = _wait(api, operation) if quiet else _draw_live(api, operation) if sys.stderr.isatty() else _print_lines(api, operation)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nIt goes on without you: zcplatform operations watch {printable(operation['id'])}\n")
        raise
    if ended["status"] == "failed":
        error = ended["error"] or {"code": "operation.failed", "detail": ended["reason"], "hint": ""}
        raise CommandError(error["code"], error["detail"], error["hint"])
    if ended["status"] == "superseded":
        raise CommandError(
            "operation.superseded", f"Somebody asked for something else meanwhile: {ended['reason']}", "zcplatform operations list SLUG"
        )
    return ended


def states(api: Api, operation: Operation) -> Iterator[Operation]:
    """The operation each time something of it changed, the ended one last."""
    query = {"tenant": operation["tenant_id"]} if operation["tenant_id"] else {}
    path = route("operations", operation["id"])
    try:
        with api.stream("/api/events", query, accept="text/event-stream", silence_s=SILENCE_S) as lines:
            for line in lines:
                if operation["id"] in line or line.startswith(":"):
                    told = api.get(path)
                    yield told
                    if told["finished_at"]:
                        return
    except CommandError:
        # Whatever became of the stream (it broke off, its tenant is deleted already): the operation itself tells.
        pass
    while True:
        told = _poll(api, path)
        yield told
        if told["finished_at"]:
            return
        time.sleep(POLL_EVERY_S)


def _poll(api: Api, path: str) -> Operation:
    """A refusal is told at once; silence, and an edge that has nobody to ask, only when it lasts."""
    give_up_at = time.monotonic() + OUTAGE_S
    while True:
        try:
            return dict(api.get(path))
        except CommandError as error:
            is_away = error.code == "api.unreachable" or error.status in (502, 503, 504)
            if not is_away or time.monotonic() > give_up_at:
                raise
        time.sleep(POLL_EVERY_S)


def _wait(api: Api, operation: Operation) -> Operation:
    for told in states(api, operation):
        operation = told
    return operation


def _print_lines(api: Api, operation: Operation) -> Operation:
    """A step that failed says why each time it did."""
    seen: set[tuple[str, str, int]] = set()
    reason = ""
    for told in states(api, operation):
        operation = told
        for step in told["steps"]:
            mark = (step["name"], step["status"], step["attempts"])
            if step["status"] in ("succeeded", "failed") and mark not in seen:
                seen.add(mark)
                sys.stderr.write(f"{_step(step)}\n")
        if told["reason"] and told["reason"] != reason:
            reason = told["reason"]
            sys.stderr.write(f"  {printable(reason)}\n")
        sys.stderr.flush()
    return operation


def _draw_live(api: Api, operation: Operation) -> Operation:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def drawn(told: Operation) -> Text:
        lines = [f"{told['kind']} {told['status']}", *(_step(step) for step in told["steps"])]
        return Text("\n".join([*lines, f"  {printable(told['reason'])}"] if told["reason"] else lines))

    with Live(drawn(operation), console=Console(stderr=True), refresh_per_second=10) as live:
        for told in states(api, operation):
            operation = told
            live.update(drawn(told), refresh=True)
    return operation


def _step(step: dict[str, Any]) -> str:
    """`  ✔ start           0.41 s`"""
    took = ""
    if step["started_at"] and step["finished_at"]:
        seconds = (datetime.fromisoformat(step["finished_at"]) - datetime.fromisoformat(step["started_at"])).total_seconds()
        took = f"{seconds:6.2f} s"
    again = f" (attempt {step['attempts']})" if step["attempts"] > 1 else ""
    error = f"  {printable(step['error'])}" if step["error"] else ""
    return f"  {MARKS.get(step['status'], '?')} {printable(step['name']).replace('_', ' '):<20}{took}{again}{error}"
