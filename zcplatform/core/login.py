"""Signing in without a password: every limit, and the decisions that follow from them. Pure; time and rows are parameters.

Two things must be true together. Nobody guesses a code: a challenge has five tries, an account twenty wrong ones a day, whoever asks from
wherever. And nobody is locked out by somebody who tries: so tries are kept apart by lane. A browser the person signed in with before has a
lane of its own, an address he signed in from within a month another; strangers share the rest. A challenge is only sent while its five
tries are still free in its lane, so that whoever got a code can always use it.
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
"""How many codes a mailbox gets within how long, in one lane."""
DAY = timedelta(days=1)

SESSION_LIVES = timedelta(hours=24)
LINK_LIVES = timedelta(minutes=15)
SETUP_LIVES = timedelta(hours=1)
KNOWN_FOR = timedelta(days=30)
BROWSER_LIVES = timedelta(days=180)
KEY_GRACE = SESSION_LIVES
"""A signing key that was replaced is good until the last session signed with it has ended."""

STRANGER = "stranger"
_CODE = re.compile(r"[0-9]{8}", re.ASCII)


@dataclass(frozen=True)
class Limit:
    """So many within one window of time."""

    most: int
    window: timedelta


REQUESTS = Limit(30, timedelta(minutes=1))
VERIFIES = Limit(60, timedelta(minutes=1))
LINKS = Limit(10, timedelta(minutes=1))
STRANGERS = Limit(300, timedelta(hours=1))
"""How many codes all strangers together are sent: nobody turns us into a mail cannon."""
RECORDED = Limit(10, timedelta(hours=1))
"""Audit entries about refusals, for each network; what is beyond them is counted and told in one."""


@dataclass(frozen=True)
class Earlier:
    """A challenge that was sent to the same account in the same lane within the last day."""

    created_at: str
    tries: int
    is_used: bool
    is_open: bool


def may_send(earlier: Sequence[Earlier], now: datetime) -> bool:
    """Whether one more code may be sent: within the limits of the mailbox, and with all its tries free."""
    for window, most in SENDS:
        since = clock.text(now - window)
        if sum(one.created_at > since for one in earlier) >= most:
            return False
    wrong = sum(one.tries - one.is_used for one in earlier)
    promised = sum(TRIES - one.tries for one in earlier if one.is_open)
    return wrong + promised + TRIES <= TRIES_A_DAY


def typed(code: str) -> str | None:
    """A code as a person typed it, spaces and hyphens left out, or None when it can not be one."""
    bare = code.replace(" ", "").replace("-", "")
    return bare if _CODE.fullmatch(bare) else None


def network(address: str) -> str:
    """What one asker can easily have many of counts as one: a /64 of IPv6. The text of no address is the host itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "local"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)
