"""Requests that were refused for who asked them, as audit entries, and few of them however many there are.

The first of a minute by the same bearer, address and permission is an entry at once; those after it are counted, and one entry tells how many
they were when the minute is over. After `MOST` different ones in a minute the rest is one entry.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request

from zcplatform import clock
from zcplatform.core.audit import Entry
from zcplatform.errors import PlatformError
from zcplatform.log import logger
from zcplatform.ops import denials
from zcplatform.ops.context import Context

WINDOW_S = 60.0
MOST = 60
OUTCOMES = {401: "not_signed_in", 403: "denied", 404: "hidden"}


@dataclass(frozen=True)
class Denial:
    """`action` is the permission that was needed, `subject` the tenant as it was asked for, or nothing."""

    actor: str
    address: str
    action: str
    subject: str
    status: int


MANY = Denial("many", "many", "request.refuse", "", 403)


class Denials:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._more: Counter[Denial] = Counter()
        self._begun = False

    async def note(self, denial: Denial) -> None:
        """An entry that can not be written changes nothing for who asked: he is refused all the same."""
        if not self._begun:
            self._begun = True
            asyncio.get_running_loop().call_later(WINDOW_S, lambda: asyncio.ensure_future(self.flush()))
        known = next((one for one in self._more if _key(one) == _key(denial)), None)
        if known is None and len(self._more) < MOST:
            self._more[denial] = 0
            await self._write([_entry(denial, 1)])
        else:
            self._more[known or MANY] += 1

    async def flush(self) -> None:
        """The minute is over, or the process ends."""
        counted, self._more, self._begun = self._more, Counter(), False
        await self._write([_entry(denial, count) for denial, count in counted.items() if count])

    async def _write(self, entries: list[Entry]) -> None:
        try:
            if entries:
                await denials.record(self._context, entries)
        except PlatformError as error:
            logger.error("a refused request could not be told to the audit log", code=error.code, error=error.detail)


async def told(request: Request, error: PlatformError) -> None:
    """Called for every error that is answered; tells those that were for who asked. Failed logins are told where they are counted."""
    needed, counter = getattr(request.state, "needed", None), getattr(request.app.state, "denials", None)
    is_hidden = error.status == HTTPStatus.NOT_FOUND and getattr(request.state, "hidden", False)
    if needed is None or counter is None or not (is_hidden or error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)):
        return
    bearer = getattr(request.state, "bearer", None)
    actor = "anonymous" if bearer is None else bearer.token_id or bearer.session_id or "anonymous"
    subject = str(request.path_params.get("tenant", ""))[:64]
    address = request.headers.get("x-forwarded-for", "local")[:64]
    await counter.note(Denial(str(actor), address, needed, subject, error.status))


def _key(denial: Denial) -> tuple[str, str, str, int]:
    return denial.actor, denial.address, denial.action, denial.status


def _entry(denial: Denial, count: int) -> Entry:
    at = clock.text(clock.now())
    return Entry(at, denial.actor, denial.action, denial.subject, "", "none", denial.address, OUTCOMES[denial.status], {"count": count})
