"""Sign-in with mailed codes: the limits, and the decisions that follow from them. Pure; time and rows are parameters.

Two goals must hold together. Nobody can guess a code: a challenge allows five tries, and an account twenty wrong ones a day, from wherever they
come. And nobody can lock a user out by trying: tries are counted per lane. A browser that the user signed in with before has its own lane, a
network they signed in from within a month has another, and all strangers share a third. A code is only sent while its five tries still fit into
the lane's daily limit, so everyone who receives a code can use it.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from zcplatform import clock

DIGITS = 8
TRIES = 5
TRIES_A_DAY = 20
CODE_LIVES = timedelta(minutes=10)
SENDS = ((timedelta(minutes=10), 3), (timedelta(days=1), 10))
"""Limits on codes mailed to one address in one lane: (window, number)."""
DAY = timedelta(days=1)

SESSION_LIVES = timedelta(hours=24)
LINK_LIVES = timedelta(minutes=15)
SETUP_LIVES = timedelta(hours=1)
KNOWN_FOR = timedelta(days=30)
BROWSER_LIVES = timedelta(days=180)
KEY_GRACE = SESSION_LIVES
"""A replaced signing key stays valid until the last session signed with it has ended."""

STRANGER = "stranger"
_CODE = re.compile(r"[0-9]{8}", re.ASCII)


@dataclass(frozen=True)
class Limit:
    """At most `most` within each window of this length."""

    most: int
    window: timedelta


REQUESTS = Limit(30, timedelta(minutes=1))
VERIFIES = Limit(60, timedelta(minutes=1))
LINKS = Limit(10, timedelta(minutes=1))
STRANGERS = Limit(300, timedelta(hours=1))
"""Codes mailed to all strangers together, so that the platform cannot be used to flood mailboxes."""
RECORDED = Limit(10, timedelta(hours=1))
"""Audit entries about failed sign-ins, per network. Further ones are counted and recorded together in one entry."""


@dataclass(frozen=True)
class Earlier:
    """A challenge that was sent to the same account in the same lane within the last day."""

    created_at: str
    tries: int
    is_used: bool
    is_open: bool


def may_send(earlier: Sequence[Earlier], now: datetime) -> bool:
    """Whether one more code may be sent: within the address's limits, and with all its tries available."""
    for window, most in SENDS:
        since = clock.text(now - window)
        if sum(challenge.created_at > since for challenge in earlier) >= most:
            return False
    wrong = sum(challenge.tries - challenge.is_used for challenge in earlier)
    promised = sum(TRIES - challenge.tries for challenge in earlier if challenge.is_open)
    return wrong + promised + TRIES <= TRIES_A_DAY


def typed(code: str) -> str | None:
    """Return the digits of a code as a person typed it, without spaces and hyphens, or None if it cannot be a code."""
    bare = code.replace(" ", "").replace("-", "")
    return bare if _CODE.fullmatch(bare) else None


def network(address: str) -> str:
    """Return the network that an address counts as: a /64 of IPv6, of which one visitor easily has many addresses. Text that is no address is `local`."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "local"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)
