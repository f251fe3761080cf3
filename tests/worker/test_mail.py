"""The mail loop: what waits is sent once, what is too old never, and nobody's slowness is another's."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from nacl.public import PrivateKey

from tests.fakes.mail_servers import FullMail, RefusingMail, SilentMail, Sink, misbehaving, serving
from zcplatform import clock
from zcplatform.adapters.mail import MailServer
from zcplatform.ids import OutboxId
from zcplatform.ops.mail import Draft, post
from zcplatform.store import outbox
from zcplatform.store.db import Database
from zcplatform.store.outbox import Message
from zcplatform.worker.mail import MailLoop
from zcplatform.worker.metrics import Metrics

PANEL = "https://panel.example.com"
KEY = PrivateKey(secrets.token_bytes(32))
METRICS = Metrics()
LIVES = timedelta(minutes=10)


def _server(port: int) -> MailServer:
    return MailServer("127.0.0.1", port, "none", None, None, "zc@example.com", None, "panel.example.com")


def _loop(database: Database, port: int | None) -> MailLoop:
    return MailLoop(database, KEY, PANEL, None if port is None else _server(port), METRICS)


def _post(database: Database, recipient: str = "ann@example.com", code: str = "01234567", ago: timedelta = timedelta(0)) -> OutboxId:
    at = clock.text(clock.now() - ago)
    return database.write_now(lambda tx: post(tx, bytes(KEY.public_key), at, Draft("login_code", recipient, {"code": code}, LIVES)))


def _message(database: Database, outbox_id: str) -> Message:
    found = database.read(lambda tx: outbox.get(tx, outbox_id))
    assert found is not None
    return found


async def _round(loop: MailLoop) -> None:
    await loop.look()
    await loop.settled()


@asynccontextmanager
async def _sink() -> AsyncIterator[tuple[Sink, int]]:
    sink = Sink()
    async with serving(sink) as port:
        yield sink, port


async def test_what_waits_is_sent_once_and_its_box_is_gone(database: Database) -> None:
    posted = _post(database)
    assert _message(database, posted).box is not None
    async with _sink() as (sink, port):
        loop = _loop(database, port)
        await _round(loop)
        await _round(loop)
    assert [one.code for one in sink.to("ann@example.com")] == ["01234567"]
    after = _message(database, posted)
    assert (after.status, after.box) == ("sent", None)


async def test_what_is_too_old_is_never_sent(database: Database) -> None:
    posted = _post(database, ago=LIVES)
    async with _sink() as (sink, port):
        await _round(_loop(database, port))
    assert sink.received == []
    after = _message(database, posted)
    assert (after.status, after.box) == ("expired", None)


async def test_a_server_that_is_slow_until_the_code_is_old_does_not_get_it(database: Database) -> None:
    """The wait for the server ends with the code's life, before the mail was handed over."""
    posted = _post(database, ago=LIVES - timedelta(seconds=0.4))
    async with misbehaving(SilentMail) as port:
        loop = _loop(database, port)
        async with asyncio.timeout(5):
            await _round(loop)
    async with _sink() as (sink, port):
        await _round(_loop(database, port))
    assert sink.received == []
    assert _message(database, posted).status == "expired"


async def test_without_a_server_messages_wait_and_grow_old(database: Database) -> None:
    waiting, old = _post(database), _post(database, ago=LIVES)
    await _round(_loop(database, None))
    assert _message(database, waiting).status == "waiting"
    assert _message(database, old).box is None


async def test_a_dead_server_is_tried_again_later(database: Database) -> None:
    posted = _post(database)
    async with _sink() as (_, port):
        pass
    await _round(_loop(database, port))
    after = _message(database, posted)
    assert (after.status, after.attempts) == ("waiting", 1)
    assert after.next_attempt_at > after.created_at
    async with _sink() as (sink, port):
        await _round(_loop(database, port))
        assert sink.received == [], "not before its time"
        database.write_now(lambda tx: outbox.again(tx, posted, "", after.created_at))
        await _round(_loop(database, port))
        assert len(sink.received) == 1


async def test_what_became_of_mail_is_counted(database: Database) -> None:
    metrics = Metrics()
    _post(database)
    async with serving(RefusingMail()) as port:
        await _round(MailLoop(database, KEY, PANEL, _server(port), metrics))
    _post(database)
    async with _sink() as (_, port):
        await _round(MailLoop(database, KEY, PANEL, _server(port), metrics))
    told = metrics.text()
    assert 'zcplatform_worker_mails_total{outcome="sent"} 1.0' in told
    assert 'zcplatform_worker_mails_total{outcome="mail.recipient"} 1.0' in told


async def test_a_refused_recipient_is_not_asked_again(database: Database) -> None:
    posted = _post(database)
    async with serving(RefusingMail()) as port:
        await _round(_loop(database, port))
    after = _message(database, posted)
    assert (after.status, after.box) == ("failed", None)
    assert "550" in str(after.error)


async def test_a_full_mailbox_keeps_no_other_letter(database: Database) -> None:
    full, other = FullMail(), Sink()
    posted = _post(database)
    async with serving(full) as port:
        await _round(_loop(database, port))
    assert _message(database, posted).status == "waiting"
    second = _post(database, "bob@example.com")
    async with serving(other) as port:
        await _round(_loop(database, port))
    assert _message(database, second).status == "sent"


async def test_a_silent_server_does_not_hold_the_look(database: Database) -> None:
    for number in range(20):
        _post(database, f"user{number}@example.com")
    async with misbehaving(SilentMail) as port:
        loop = _loop(database, port)
        async with asyncio.timeout(1):
            for _ in range(5):
                await loop.look()
        for task in list(loop._under_way.values()):
            task.cancel()
        await asyncio.gather(*loop._under_way.values(), return_exceptions=True)


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE outbox SET recipient = 'eve@example.com'",
        "UPDATE outbox SET kind = 'step_up_code'",
        "UPDATE outbox SET expires_at = '2999-01-01T00:00:00.000Z'",
        "UPDATE outbox SET id = 'out_other'",
        "UPDATE outbox SET box = x'00'",
    ],
)
async def test_a_box_in_another_place_is_thrown_away(database: Database, tamper: str) -> None:
    _post(database)
    database.write_now(lambda tx: tx.execute(tamper))
    async with _sink() as (sink, port):
        await _round(_loop(database, port))
    assert sink.received == []
    (after,) = database.read(lambda tx: tx.execute("SELECT status, box FROM outbox").fetchall())
    assert after == ("failed", None)


async def test_a_letter_that_was_taken_back_is_not_sent(database: Database) -> None:
    posted = _post(database)
    loop_database = database
    async with _sink() as (sink, port):
        loop = _loop(loop_database, port)
        await loop.look()
        database.write_now(lambda tx: outbox.end(tx, posted, "void", clock.text(clock.now())))
        await loop.settled()
    assert sink.received == []


def test_a_decoy_holds_no_box(database: Database) -> None:
    at = clock.text(clock.now())
    values = {"code": "01234567"}
    posted = database.write_now(
        lambda tx: post(tx, bytes(KEY.public_key), at, Draft("login_code", "nobody@example.com", values, LIVES, is_decoy=True))
    )
    assert (_message(database, posted).status, _message(database, posted).box) == ("void", None)


def test_no_code_lies_in_clear_in_the_files(database: Database) -> None:
    _post(database, code="86420135")
    assert all(b"86420135" not in path.read_bytes() for path in database.path.parent.iterdir() if path.is_file())
