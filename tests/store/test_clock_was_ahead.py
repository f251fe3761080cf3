"""The clock was two hours ahead and was corrected: nothing that was stored meanwhile makes anybody wait longer than its maximum."""

from datetime import UTC, datetime, timedelta

from zcplatform import clock
from zcplatform.core.login import CODE_LIVES, DAY
from zcplatform.ids import OutboxId, UserId
from zcplatform.store import challenges, outbox, throttles
from zcplatform.store.challenges import Challenge
from zcplatform.store.db import Database

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AHEAD = NOW + timedelta(hours=2)
AT, THEN = clock.text(NOW), clock.text(AHEAD)


def test_mail_is_tried_again_within_its_longest_wait(database: Database) -> None:
    first = OutboxId("out_1")
    database.write_now(lambda tx: outbox.put(tx, first, "code", "ann@example.com", b"box", AT, clock.text(NOW + timedelta(days=1))))
    latest = clock.text(NOW + timedelta(minutes=5))
    database.write_now(lambda tx: outbox.again(tx, first, "busy", clock.text(NOW + timedelta(minutes=4))))
    assert database.read(lambda tx: outbox.due(tx, AT, latest, 9)) == []
    database.write_now(lambda tx: outbox.again(tx, first, "busy", THEN))
    assert [message.id for message in database.read(lambda tx: outbox.due(tx, AT, latest, 9))] == [first]


def test_a_window_from_the_future_begins_now_and_keeps_its_count(database: Database) -> None:
    began = clock.text(NOW - timedelta(minutes=10))
    database.write_now(lambda tx: throttles.hit(tx, "k", THEN, clock.text(AHEAD - timedelta(minutes=10))))
    assert database.read(lambda tx: throttles.count(tx, "k", began, AT)) == 0
    assert database.write_now(lambda tx: throttles.hit(tx, "k", AT, began)) == (2, 0)
    later = clock.text(NOW + timedelta(minutes=11))
    assert database.write_now(lambda tx: throttles.hit(tx, "k", later, clock.text(NOW + timedelta(minutes=1)))) == (1, 2)


def test_codes_from_the_future_block_no_other(database: Database) -> None:
    user = UserId("usr_1")
    database.write_now(lambda tx: tx.execute("INSERT INTO users (id, email, created_at) VALUES (?, 'ann@example.com', ?)", (user, AT)))

    def add(number: int, moment: datetime) -> None:
        row = Challenge(
            bytes([number]),
            "login",
            user,
            None,
            None,
            "lane",
            "net",
            b"mac",
            OutboxId("out_1"),
            clock.text(moment),
            clock.text(moment + CODE_LIVES),
        )
        database.write_now(lambda tx: challenges.insert(tx, row))

    add(1, NOW - timedelta(minutes=1))
    add(2, AHEAD)
    found = database.read(lambda tx: challenges.earlier(tx, user, "lane", clock.text(NOW - DAY), AT))
    assert [each.created_at for each in found] == [clock.text(NOW - timedelta(minutes=1))]
