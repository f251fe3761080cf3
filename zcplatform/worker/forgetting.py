"""What nobody needs any more, forgotten once an hour."""

from datetime import datetime, timedelta

from zcplatform import clock
from zcplatform.core.login import BROWSER_LIVES, KNOWN_FOR
from zcplatform.settings import Settings
from zcplatform.store import challenges, events, idempotency, login_links, outbox, sessions, signing_keys, throttles
from zcplatform.store.db import Tx

KEEP_KEYS = timedelta(days=2)
KEEP_LETTERS = timedelta(days=7)
KEEP_DECOYS = timedelta(hours=1)
KEEP_TRIES = timedelta(days=2)
"""Longer than the longest limit looks back."""


def forget(tx: Tx, settings: Settings, now: datetime) -> None:
    """What nobody needs any more."""

    def before(age: timedelta) -> str:
        return clock.text(now - age)

    events.forget_before(tx, before(timedelta(days=settings.event_days)))
    idempotency.forget_before(tx, before(KEEP_KEYS))
    outbox.forget_before(tx, before(KEEP_LETTERS))
    challenges.forget_before(tx, before(KEEP_TRIES))
    challenges.forget_decoys_before(tx, before(KEEP_DECOYS))
    outbox.forget_decoys_before(tx, before(KEEP_DECOYS))
    throttles.forget_before(tx, before(KEEP_TRIES))
    login_links.forget_before(tx, before(KEEP_TRIES))
    sessions.forget_before(tx, before(KNOWN_FOR))
    sessions.forget_browsers_before(tx, before(BROWSER_LIVES))
    signing_keys.forget_before(tx, before(KEEP_TRIES))
