"""One JSON object a line on standard error, every field bounded. Secrets are never passed to a logger; this is not the place that hides them.

Standard library only: a logging library costs five megabytes in each of two processes that have to share a hundred.
"""

import json
import sys
import traceback
from datetime import UTC, datetime

_LONGEST = 2_000
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}


class Logger:
    """`process` (worker, web or edge) stands in every line."""

    def __init__(self) -> None:
        self._process = ""
        self._least = _LEVELS["INFO"]

    def configure(self, process: str, level: str) -> None:
        self._process = process
        self._least = _LEVELS[level]

    def debug(self, event: str, **fields: object) -> None:
        self._write("DEBUG", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write("INFO", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("WARNING", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("ERROR", event, fields)

    def exception(self, event: str, **fields: object) -> None:
        """An error with the traceback of the exception that is being handled: its end, where the cause is."""
        self._write("ERROR", event, {**fields, "traceback": traceback.format_exc()[-_LONGEST:]})

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if _LEVELS[level] < self._least:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "level": level.lower(), "process": self._process, "event": event, **fields}
        sys.stderr.write(json.dumps({key: _bounded(value) for key, value in line.items()}) + "\n")


def _bounded(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


logger = Logger()
configure = logger.configure
