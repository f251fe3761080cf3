"""An operation as it goes: its steps live on a terminal, one line each elsewhere. Follows the event stream, asks now and then if that breaks."""

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from zcplatform.cli.client import Api, Told
from zcplatform.cli.output import printable

ASK_EVERY_S = 0.5
MARKS = {"pending": "·", "running": "▸", "succeeded": "✔", "failed": "✘"}
Operation = dict[str, Any]


def follow(api: Api, operation: Operation, *, quiet: bool = False) -> Operation:
    """Show an operation until it ended and return it. Raises Told when it did not succeed."""
    ended = _quietly(api, operation) if quiet else _live(api, operation) if sys.stderr.isatty() else _in_lines(api, operation)
    if ended["status"] == "failed":
        error = ended["error"] or {"code": "operation.failed", "detail": ended["reason"], "hint": ""}
        raise Told(error["code"], error["detail"], error["hint"])
    if ended["status"] == "superseded":
        raise Told(
            "operation.superseded", f"Somebody asked for something else meanwhile: {ended['reason']}", "zcplatform operations list SLUG"
        )
    return ended


def states(api: Api, operation: Operation) -> Iterator[Operation]:
    """The operation each time something of it changed, the ended one last."""
    query = {"tenant": operation["tenant_id"]} if operation["tenant_id"] else {}
    path = f"/api/operations/{operation['id']}"
    try:
        with api.stream("/api/events", query, "text/event-stream") as lines:
            for line in lines:
                if operation["id"] in line or line.startswith(":"):
                    told = api.get(path)
                    yield told
                    if told["finished_at"]:
                        return
    except Told as error:
        if error.code != "api.unreachable":
            raise
    while True:
        told = api.get(path)
        yield told
        if told["finished_at"]:
            return
        time.sleep(ASK_EVERY_S)


def _quietly(api: Api, operation: Operation) -> Operation:
    for told in states(api, operation):
        operation = told
    return operation


def _in_lines(api: Api, operation: Operation) -> Operation:
    seen: set[tuple[str, str]] = set()
    reason = ""
    for told in states(api, operation):
        operation = told
        for step in told["steps"]:
            mark = (step["name"], step["status"])
            if step["status"] in ("succeeded", "failed") and mark not in seen:
                seen.add(mark)
                sys.stderr.write(f"{_step(step)}\n")
        if told["reason"] and told["reason"] != reason:
            reason = told["reason"]
            sys.stderr.write(f"  {printable(reason)}\n")
    return operation


def _live(api: Api, operation: Operation) -> Operation:
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
    return f"  {MARKS[step['status']]} {step['name'].replace('_', ' '):<20}{took}{again}{error}"
