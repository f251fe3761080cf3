"""One JSON object a line on standard error, every field bounded, every character that is not plain ASCII escaped.

Secrets are never passed to a logger. In case one is nevertheless, fields named like one and texts of the well-known forms are blotted out, and
of an error only such words are written that hold nothing anybody sent: its kind, where it was, and the text of our own and the system's errors.

Standard library only: a logging library costs five megabytes in each of two processes that have to share a hundred.
"""

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime

from zcplatform.errors import PlatformError

_LONGEST = 2_000
_LEVELS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40}
REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"(^|_)(secret|password|passphrase|authorization|cookie|api_key|pairing_code|token|key)$", re.IGNORECASE)
_SECRET_FORM = re.compile(
    r"zcp_[\w-]{8,256}|enc2:[0-9a-fA-F]{8,4000}|\bsk-[\w-]{8,256}|\bxox[a-z]-[\w-]{8,256}|\bgh[a-z]_\w{8,256}|\bAIza[\w-]{20,256}"
    r"|\beyJ[\w-]{8,2000}(\.[\w-]{0,2000}){1,2}|\b\d{6,12}:[\w-]{30,64}|(?<=bearer )[^\s\"']{8,2000}|(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)",
    re.IGNORECASE,
)


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
        """An error with where the exception that is being handled came from: the end, where the cause is."""
        self._write("ERROR", event, {**fields, **_exception_fields(sys.exc_info()[1])})

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
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
    text = str(value)
    shown = _SECRET_FORM.sub(REDACTED, text[: 2 * _LONGEST])
    return shown if len(text) <= 2 * _LONGEST and len(shown) <= _LONGEST else shown[:_LONGEST] + "…"


def _exception_fields(error: BaseException | None) -> dict[str, object]:
    """The kinds of an error and its causes, their words as far as they are known to hold no input, and the last places."""
    words: list[str] = []
    frames: list[str] = []
    while error is not None and len(words) < 5:
        kind = type(error)
        is_known = isinstance(error, PlatformError | OSError) or kind.__module__.partition(".")[0] in ("apsw", "aiodocker")
        words.append(f"{kind.__module__}.{kind.__qualname__}" + (f": {error}" if is_known else ""))
        places = traceback.extract_tb(error.__traceback__)[-12:]
        frames.append(" > ".join(f"{place.filename.rpartition('/')[2]}:{place.lineno} {place.name}" for place in places))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {"exception": " | from ".join(words), "places": " | from ".join(frames)}


class _Libraries(logging.Handler):
    """What libraries say, in the same form and under the same rules."""

    def emit(self, record: logging.LogRecord) -> None:
        told = _exception_fields(record.exc_info[1]) if record.exc_info else {}
        level = "ERROR" if record.levelno >= logging.ERROR else "WARNING"
        first = record.getMessage().partition("\n")[0]  # the lines after it show objects, with whatever they hold
        logger._write(level, "a library says", {"library": record.name, "message": first, **told})  # noqa: SLF001


logger = Logger()


def configure(process: str, level: str) -> None:
    logger.configure(process, level)
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
