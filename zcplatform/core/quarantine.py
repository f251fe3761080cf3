"""How long what a deleted tenant had rests before somebody else may get it, so that nothing left behind ever meets a stranger."""

from datetime import timedelta

from zcplatform import clock

QUARANTINE_DAYS = {"slug": 90, "port": 30, "uid": 30, "subnet": 0}


def reusable_before(kind: str, at: str) -> str:
    """What was released before this time may be used again."""
    return clock.text(clock.parse(at) - timedelta(days=QUARANTINE_DAYS[kind]))
