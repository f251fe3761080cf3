"""Time as the platform writes it: UTC, RFC 3339 with Z and milliseconds. Whatever decides by the time gets it as a parameter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_source: ContextVar[Callable[[], datetime] | None] = ContextVar("clock", default=None)


def now() -> datetime:
    source = _source.get()
    return datetime.now(UTC) if source is None else source()


@contextmanager
def driven_by(source: Callable[[], datetime]) -> Iterator[None]:
    """Within this context, and in the tasks that begin in it, `source` gives the time: a simulation's, where a minute takes no time."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def text(moment: datetime) -> str:
    """`2026-11-23T01:02:03.456Z`: fixed width, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse(value: str) -> datetime:
    """Raises ValueError for anything that is not RFC 3339."""
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except OverflowError as error:  # a year 1 or 9999 that the offset leads out of
        raise ValueError(str(error)) from None
