"""Quarantine: how long a deleted tenant's slug, port, uid and subnet stay reserved, so that no leftover reaches another tenant."""

from datetime import timedelta

from zcplatform import clock

QUARANTINE_DAYS = {"slug": 90, "port": 30, "uid": 30, "subnet": 0}
BLOCKED_MINUTES = {"port": 10, "subnet": 60}
"""For a port or subnet that another program or network on the machine uses, or that leads nowhere. Its quarantine is short, because whatever uses
it may go away soon; it is probed before a tenant gets it."""


def reusable_before(kind: str, at: str) -> str:
    """Return the time before which a number must have been released to be used again."""
    return clock.text(clock.parse(at) - timedelta(days=QUARANTINE_DAYS[kind]))


def blocked_until(kind: str, at: str) -> str:
    return clock.text(clock.parse(at) + timedelta(minutes=BLOCKED_MINUTES[kind]))
