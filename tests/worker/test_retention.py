"""Old events are deleted in writes of bounded length, however many have gathered."""

from datetime import timedelta

from zcplatform import clock
from zcplatform.settings import Settings
from zcplatform.store import events
from zcplatform.store.db import Database, Tx, scalar
from zcplatform.worker.heartbeat import retention_loop
from zcplatform.worker.retention import delete_expired

NOW = clock.parse("2026-06-01T00:00:00.000Z")
SETTINGS = Settings(event_days=1)


def _add(database: Database, count: int, days_ago: int) -> None:
    def write(tx: Tx) -> None:
        for _ in range(count):
            events.append(tx, clock.text(NOW - timedelta(days=days_ago)), "tenant.state", slug="shop")

    database.write_now(write)


def _left(database: Database) -> int:
    return int(database.read(lambda tx: scalar(tx, "SELECT count(*) FROM events")))


def test_one_write_deletes_no_more_than_it_may(database: Database) -> None:
    _add(database, 5, days_ago=2)
    _add(database, 3, days_ago=0)
    left = []
    while database.write_now(lambda tx: delete_expired(tx, SETTINGS, NOW, most_events=2)):
        left.append(_left(database))
    assert (left, _left(database)) == ([6, 4], 3)


async def test_a_round_deletes_all_that_is_too_old(database: Database) -> None:
    _add(database, 20_001, days_ago=2)
    _add(database, 1, days_ago=0)
    loop = retention_loop(database, SETTINGS, lambda: NOW)
    await loop.once()
    assert (loop.status.error, _left(database)) == ("", 1)
