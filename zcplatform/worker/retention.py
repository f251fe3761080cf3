"""Retention: delete rows that are no longer needed, once an hour."""

from datetime import datetime, timedelta

from zcplatform import clock
from zcplatform.core.login import BROWSER_LIVES, KNOWN_FOR
from zcplatform.settings import Settings
from zcplatform.store import challenges, events, idempotency, login_links, outbox, sessions, signing_keys, throttles
from zcplatform.store.db import Tx

KEEP_RETRY_KEYS = timedelta(days=2)
KEEP_MAIL = timedelta(days=7)
KEEP_DECOYS = timedelta(hours=1)
KEEP_TRIES = timedelta(days=2)
"""Longer than the longest window of a rate limit."""


MOST_EVENTS = 20_000
"""Deleted in one write, which takes less than a second."""


def delete_expired(tx: Tx, settings: Settings, now: datetime, most_events: int = MOST_EVENTS) -> bool:
    """True if there is more to delete: call it again."""

    def before(age: timedelta) -> str:
        return clock.text(now - age)

    has_more = events.delete_before(tx, before(timedelta(days=settings.event_days)), most_events)
    idempotency.delete_before(tx, before(KEEP_RETRY_KEYS))
    outbox.delete_before(tx, before(KEEP_MAIL))
    challenges.delete_before(tx, before(KEEP_TRIES))
    challenges.delete_decoys_before(tx, before(KEEP_DECOYS))
    outbox.delete_decoys_before(tx, before(KEEP_DECOYS))
    throttles.delete_before(tx, before(KEEP_TRIES))
    login_links.delete_before(tx, before(KEEP_TRIES))
    sessions.delete_before(tx, before(KNOWN_FOR))
    sessions.delete_browsers_before(tx, before(BROWSER_LIVES))
    signing_keys.delete_before(tx, before(KEEP_TRIES))
    return has_more
