"""The progress of an operation: drawn live on a terminal, one line for each step elsewhere. Follows the event stream, and polls if that breaks.

Polling is harmless, so an API that does not answer for some seconds (the platform restarts) is waited for.
"""

import sys
import time
from collections.abc import Iterator
from typing import Any

from zcplatform.cli import formats
from zcplatform.cli.client import Api
from zcplatform.cli.context import route
from zcplatform.cli.errors import CommandError
from zcplatform.cli.output import mark, print_error, printable

POLL_EVERY_S = 0.5
SILENCE_S = 40
"""The stream says something every 15 seconds; a silent one has broken without a word."""
OUTAGE_S = 30
MARKS = {"pending": "·", "running": "▸", "succeeded": "✔", "failed": "✘"}
Operation = dict[str, Any]


def follow(api: Api, operation: Operation, *, quiet: bool = False) -> Operation:
    """Show an operation until it has ended, and return it. Raises CommandError when it did not succeed."""
    try:
        ended = _wait(api, operation) if quiet else _draw_live(api, operation) if sys.stderr.isatty() else _print_lines(api, operation)
    except KeyboardInterrupt:
        print_error(f"The operation continues. Follow it with: zcplatform operations watch {operation['id']}")
        raise
    if ended["status"] == "failed":
        error = ended["error"] or {"code": "operation.failed", "detail": ended["reason"], "hint": ""}
        raise CommandError(error["code"], error["detail"], error["hint"])
    if ended["status"] == "superseded":
        raise CommandError(
            "operation.superseded", f"A newer request replaced this one: {ended['reason']}", "zcplatform operations list SLUG"
        )
    return ended


def states(api: Api, operation: Operation) -> Iterator[Operation]:
    """The operation each time it changed, the ended one last."""
    query = {"tenant": operation["tenant_id"]} if operation["tenant_id"] else {}
    path = route("operations", operation["id"])
    try:
        with api.stream("/api/events", query, accept="text/event-stream", silence_s=SILENCE_S) as lines:
            for line in lines:
                if operation["id"] in line or line.startswith(":"):
                    current = api.get(path)
                    yield current
                    if current["finished_at"]:
                        return
    except CommandError:
        # Whatever happened to the stream (it broke, its tenant is deleted already): the operation itself has the outcome.
        pass
    while True:
        current = _poll(api, path)
        yield current
        if current["finished_at"]:
            return
        time.sleep(POLL_EVERY_S)


def _poll(api: Api, path: str) -> Operation:
    """A refusal is raised at once; silence, and an edge without the platform behind it, only when it lasts."""
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
    for current in states(api, operation):
        operation = current
    return operation


def _print_lines(api: Api, operation: Operation) -> Operation:
    """A line for each step that ended; a failed step says why, each time it fails."""
    seen: set[tuple[str, str, int]] = set()
    reason = ""
    for current in states(api, operation):
        operation = current
        for step in current["steps"]:
            mark = (step["name"], step["status"], step["attempts"])
            if step["status"] in ("succeeded", "failed") and mark not in seen:
                seen.add(mark)
                print_error(_step(step))
        if current["reason"] and current["reason"] != reason:
            reason = current["reason"]
            print_error(f"  {reason}")
        sys.stderr.flush()
    return operation


def _draw_live(api: Api, operation: Operation) -> Operation:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def drawn(current: Operation) -> Text:
        lines = [printable(f"{current['kind']} {current['status']}"), *(_step(step) for step in current["steps"])]
        return Text("\n".join([*lines, f"  {printable(current['reason'])}"] if current["reason"] else lines))

    with Live(drawn(operation), console=Console(stderr=True), refresh_per_second=10, redirect_stderr=False) as live:
        for current in states(api, operation):
            operation = current
            live.update(drawn(current), refresh=True)
    return operation


def _step(step: dict[str, Any]) -> str:
    """`  ✔ start           0.41 s`"""
    took = f"{formats.elapsed(step['started_at'], step['finished_at']):>8}"
    again = f" (attempt {step['attempts']})" if step["attempts"] > 1 else ""
    error = f"  {printable(step['error'])}" if step["error"] else ""
    return f"  {mark(MARKS.get(step['status'], '?'), sys.stderr)} {printable(step['name']).replace('_', ' '):<20}{took}{again}{error}"
