"""Challenges by the clock, which is a parameter here: good until ten minutes are over, and not a moment longer."""

from datetime import UTC, datetime, timedelta

import pytest

from zcplatform import clock
from zcplatform.core.login import CODE_LIVES, TRIES
from zcplatform.ids import OutboxId
from zcplatform.store import challenges, signing_keys, throttles
from zcplatform.store.challenges import Challenge
from zcplatform.store.db import Database

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def _at(later: timedelta) -> str:
    return clock.text(NOW + later)


def _insert(database: Database) -> None:
    row = Challenge(
        b"id", "login", None, None, None, "stranger", "203.0.113.1", b"mac", OutboxId("out_a"), clock.text(NOW), _at(CODE_LIVES)
    )
    database.write_now(lambda tx: challenges.insert(tx, row))


@pytest.mark.parametrize(
    ("later", "is_good"), [(timedelta(minutes=9, seconds=59), True), (CODE_LIVES, False), (timedelta(minutes=10, seconds=1), False)]
)
def test_a_code_lives_ten_minutes(database: Database, later: timedelta, is_good: bool) -> None:
    """S-03."""
    _insert(database)
    assert (database.write_now(lambda tx: challenges.count_try(tx, b"id", "login", None, _at(later))) is not None) is is_good


def test_tries_end_and_one_use_is_all(database: Database) -> None:
    _insert(database)
    at = clock.text(NOW)
    tried = [database.write_now(lambda tx: challenges.count_try(tx, b"id", "login", None, at)) for _ in range(TRIES + 3)]
    assert [one is not None for one in tried] == [True] * TRIES + [False] * 3
    assert [database.write_now(lambda tx: challenges.use(tx, b"id")) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("purpose", "session"), [("step_up", None), ("login", "ses_a"), ("email", None)])
def test_a_challenge_is_for_one_purpose_and_session(database: Database, purpose: str, session: str | None) -> None:
    _insert(database)
    assert database.write_now(lambda tx: challenges.count_try(tx, b"id", purpose, session, clock.text(NOW))) is None


def test_a_window_begins_with_its_first_count(database: Database) -> None:
    def hit(later: float) -> tuple[int, int]:
        moment = NOW + timedelta(seconds=later)
        began = clock.text(moment - timedelta(seconds=60))
        return database.write_now(lambda tx: throttles.hit(tx, "a", clock.text(moment), began))

    assert [hit(0), hit(30), hit(59.9)] == [(1, 0), (2, 0), (3, 0)]
    assert hit(60) == (1, 3)


def test_signing_keys_overlap_for_their_grace(database: Database) -> None:
    at, grace = clock.text(NOW), _at(timedelta(hours=24))
    for _ in range(2):
        database.write_now(lambda tx: signing_keys.first(tx, at))
    assert database.read(lambda tx: signing_keys.live(tx, at)) == [1]
    assert database.write_now(lambda tx: signing_keys.rotate(tx, at, grace)) == 2
    assert database.read(lambda tx: signing_keys.live(tx, at)) == [2, 1]
    assert database.read(lambda tx: signing_keys.live(tx, grace)) == [2]
    assert database.write_now(lambda tx: signing_keys.rotate(tx, at, at)) == 3
    assert database.read(lambda tx: signing_keys.live(tx, at)) == [3]
