"""Limits on open streams (events, logs, exports) per account, per tenant and in total.

Each stream holds a connection and is checked again after every commit. Counted in memory, because connections end with the process.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request

from zcplatform.errors import TooMany
from zcplatform.ops.actor import Actor
from zcplatform.settings import Settings

MOST_LOGS = 100
"""Each log is a live request to the worker, which accepts 200. The rest is left to other requests, such as pairing codes."""
RETRY_AFTER_S = 10


class StreamKind(StrEnum):
    EVENTS = "events"
    LOGS = "logs"
    EXPORT = "export"


class Streams:
    """Raises TooMany, which says whose limit is reached and what to do."""

    def __init__(self, settings: Settings) -> None:
        self._most = {
            "account": settings.streams_account,
            "tenant": settings.streams_tenant,
            "all": settings.streams_all,
            "logs": MOST_LOGS,
        }
        self._open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def one(self, kind: StreamKind, account: str, tenant_id: str | None) -> Iterator[None]:
        keys = [("account", account), ("tenant", tenant_id or ""), ("all", ""), ("logs", "")]
        keys = [key for key in keys if (key[0] != "tenant" or tenant_id) and (key[0] != "logs" or kind is StreamKind.LOGS)]
        for whose, _ in (key for key in keys if self._open[key] >= self._most[key[0]]):
            raise _too_many(whose, self._most[whose])
        self._open.update(keys)
        try:
            yield
        finally:
            self._open.subtract(keys)
            self._open = +self._open


class Opening:
    """Count a stream until its response has ended. A route calls this once it knows the caller and the tenant."""

    def __init__(self, streams: Streams, until_the_end: ExitStack) -> None:
        self._streams = streams
        self._until_the_end = until_the_end

    def count(self, kind: StreamKind, actor: Actor) -> None:
        self._until_the_end.enter_context(self._streams.one(kind, actor.user_id or actor.id, actor.tenant_id))


async def _opening(request: Request) -> AsyncIterator[Opening]:
    with ExitStack() as until_the_end:
        yield Opening(request.app.state.streams, until_the_end)


OpeningOf = Annotated[Opening, Depends(_opening)]


def _too_many(whose: str, most: int) -> TooMany:
    limits = {
        "account": (
            f"You have {most} streams of events and logs open",
            "close one (a page of the panel, a `logs --follow`), then try again",
        ),
        "tenant": (f"This tenant has {most} streams of events and logs open", "wait until one of its members closes one, then try again"),
        "all": (f"This platform has {most} streams open", "try again later; the operator can raise `streams_all` in the settings file"),
        "logs": (f"{most} logs are already open on this platform", "try again later"),
    }
    return TooMany("stream.too_many", *limits[whose], retry_after_s=RETRY_AFTER_S)
