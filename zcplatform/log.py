"""Structured logging: one JSON object per line on standard error. Fields are bounded, and characters outside plain ASCII are escaped.

Callers never pass secrets to a logger. As a second line of defence, fields named like a secret and text that looks like one are redacted on
every path: fields, exceptions and messages of libraries. The text of an exception may repeat input, so it is written only for our own
errors and those of the operating system, the database and the engine's client. For any other exception, its type and location are written.

It uses the standard library only: a logging library would cost five megabytes in each of two processes that share a budget of a hundred.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath

from zcplatform.core.redaction import REDACTED, redact_forms
from zcplatform.errors import PlatformError

_LONGEST = 2_000
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
_SECRET_NAME = re.compile(r"(^|_)(secret|password|passphrase|authorization|cookie|api_key|pairing_code|token|key)$", re.IGNORECASE)
Field = str | bytes | int | float | bool | PurePath | BaseException | None
"""The types of a field. Pass an exception itself: the rules above apply to it, but not to `str(error)`."""


class Logger:
    """Send all logging to standard error. Every line names the `process`: worker, web or edge."""

    def __init__(self) -> None:
        self._process = ""
        self._least = _LEVELS["INFO"]

    def configure(self, process: str, level: str) -> None:
        self._process = process
        self._least = _LEVELS[level]

    def debug(self, event: str, **fields: Field) -> None:
        self._write("DEBUG", event, fields)

    def info(self, event: str, **fields: Field) -> None:
        self._write("INFO", event, fields)

    def warning(self, event: str, **fields: Field) -> None:
        self._write("WARNING", event, fields)

    def error(self, event: str, **fields: Field) -> None:
        self._write("ERROR", event, fields)

    def exception(self, event: str, exc: BaseException | None = None, **fields: Field) -> None:
        """Log an error with its causes and locations: those of `exc`, or of the exception that is being handled."""
        self._write("ERROR", event, {**fields, **_exception_fields(exc or sys.exc_info()[1])})

    def _write(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        if _LEVELS[level] < self._least:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "level": level.lower(), "process": self._process, "event": event, **fields}
        sys.stderr.write(json.dumps({key: _redacted(key, value) for key, value in line.items()}) + "\n")


def _redacted(name: str, value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if _SECRET_NAME.search(name):
        return REDACTED
    text = _described(value) if isinstance(value, BaseException) else str(value)
    shown = redact_forms(text[: 2 * _LONGEST])
    return shown if len(text) <= 2 * _LONGEST and len(shown) <= _LONGEST else shown[:_LONGEST] + "…"


def _described(error: BaseException) -> str:
    """Return the type of an error, and its text if that cannot repeat input."""
    kind = type(error)
    is_known = isinstance(error, PlatformError | OSError) or kind.__module__.partition(".")[0] in ("apsw", "aiodocker")
    return f"{kind.__module__}.{kind.__qualname__}" + (f": {error}" if is_known else "")


def _exception_fields(error: BaseException | None) -> dict[str, object]:
    """Return the error and up to four causes, each with the end of its traceback."""
    words: list[str] = []
    places: list[str] = []
    while error is not None and len(words) < 5:
        words.append(_described(error))
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        places.append(" > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {"exception": " | from ".join(words), "places": " | from ".join(places)}


class _Libraries(logging.Handler):
    """Writes messages of libraries in the same form and under the same rules."""

    def emit(self, record: logging.LogRecord) -> None:
        exception = _exception_fields(record.exc_info[1]) if record.exc_info else {}
        level = "ERROR" if record.levelno >= logging.ERROR else "WARNING"
        first = record.getMessage().partition("\n")[0]  # further lines may print whole objects, secrets included
        logger._write(level, "library message", {"library": record.name, "message": first, **exception})  # noqa: SLF001


logger = Logger()


def configure(process: str, level: str) -> None:
    logger.configure(process, level)
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
