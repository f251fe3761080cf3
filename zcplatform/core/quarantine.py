"""How long what a deleted tenant held stays reserved, so that nothing left behind ever meets another tenant."""

from datetime import timedelta

from zcplatform import clock

QUARANTINE_DAYS = {"slug": 90, "port": 30, "uid": 30, "subnet": 0}
BLOCKED_MINUTES = {"port": 10, "subnet": 60}
"""For a number that no tenant held to its end: another program or network on the machine uses it, or the kernel leads it elsewhere. Numbers are
everybody's, so they come back soon; each is tried again before it is given."""


def reusable_before(kind: str, at: str) -> str:
    """Released before this time: may be used again."""
    return clock.text(clock.parse(at) - timedelta(days=QUARANTINE_DAYS[kind]))


def blocked_until(kind: str, at: str) -> str:
    return clock.text(clock.parse(at) + timedelta(minutes=BLOCKED_MINUTES[kind]))
