"""Audit entries about denied requests (401, 403, and 404 for hidden objects), in bounded number.

The first denial of a minute for the same caller, address, permission and status is recorded at once. Further ones are counted and recorded in
one entry when the minute is over. After `MOST` different denials in a minute, all others share one entry.
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
    """`action` is the permission that was needed; `subject` is the tenant as the request named it, or empty."""

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
        """Record or count a denial. If the entry cannot be written, the request is denied all the same."""
        if not self._begun:
            self._begun = True
            asyncio.get_running_loop().call_later(WINDOW_S, lambda: asyncio.ensure_future(self.flush()))
        known = next((counted for counted in self._more if _key(counted) == _key(denial)), None)
        if known is None and len(self._more) < MOST:
            self._more[denial] = 0
            await self._write([_entry(denial, 1)])
        else:
            self._more[known or MANY] += 1

    async def flush(self) -> None:
        """Record what was counted. Called when the minute is over, and when the process ends."""
        counted, self._more, self._begun = self._more, Counter(), False
        await self._write([_entry(denial, count) for denial, count in counted.items() if count])

    async def _write(self, entries: list[Entry]) -> None:
        try:
            if entries:
                await denials.record(self._context, entries)
        except PlatformError as error:
            logger.error("a denied request could not be recorded in the audit log", code=error.code, error=error.detail)


async def record(request: Request, error: PlatformError) -> None:
    """Record an error response if it denied the caller something. Called for every error; failed sign-ins are recorded where they are counted."""
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
