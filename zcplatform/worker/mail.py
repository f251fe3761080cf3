"""The mail loop: opens messages that wait in the outbox, writes them, sends them, and records the outcome.

Promises: an expired message is never sent, however slow the server; no sealed box outlives its message; a message that cannot be sent delays no other.
A message may arrive twice when the worker is killed between sending and recording it. Rows are hostile: recipient and text come from the sealed
box and our own texts, and a box that does not belong to its row is discarded.
"""

import asyncio
from datetime import timedelta
from typing import Protocol

from nacl.public import PrivateKey

from zcplatform import bounded_json, clock
from zcplatform.core.mailboxes import canonical
from zcplatform.core.mails import LIMIT_S, Mail, MailFailed, mail
from zcplatform.log import logger
from zcplatform.store import outbox
from zcplatform.store.db import Database
from zcplatform.store.outbox import Message
from zcplatform.vault.opening import CannotOpen, open_box
from zcplatform.vault.sealed_mail import binding
from zcplatform.worker.loop import Loop
from zcplatform.worker.metrics import Metrics

PERIOD_S = 5.0
AT_ONCE = 4
AGAIN_S = (2, 5, 15, 30, 60, 120, 300)


class Sender(Protocol):
    async def send(self, recipient: str, mail: Mail, limit_s: float = LIMIT_S) -> None:
        """Send one message. Raises MailFailed."""


class MailLoop:
    """`server` is None if mail is not configured: messages wait until they expire, as if the server were down."""

    def __init__(self, database: Database, private_key: PrivateKey, panel_url: str, server: Sender | None, metrics: Metrics) -> None:
        self.loop = Loop("mail", PERIOD_S, self.look)
        self._metrics = metrics
        self._database = database
        self._private_key = private_key
        self._panel_url = panel_url
        self._server = server
        self._places = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def look(self) -> None:
        """Expire old messages and begin to send those that are due. A slow server delays the sending tasks, never this round."""
        now = clock.now()
        at, latest = clock.text(now), clock.text(now + timedelta(seconds=AGAIN_S[-1]))
        messages = self._database.read(lambda tx: outbox.due(tx, at, latest, AT_ONCE * 8))
        if any(message.expires_at <= at for message in messages):
            await self._database.write(lambda tx: outbox.expire(tx, at))
        if self._server is None:
            return
        for message in messages:
            if message.expires_at > at and message.id not in self._under_way:
                task = asyncio.create_task(self._work(self._server, message))
                self._under_way[message.id] = task

    async def settled(self) -> None:
        """Return when nothing is being sent."""
        await asyncio.gather(*self._under_way.values())

    async def _work(self, server: Sender, message: Message) -> None:
        try:
            async with self._places:
                await self._send(server, message)
        except Exception as error:
            logger.exception("message failed with an unexpected error", message=message.id, error=type(error).__name__)
            await self._later(message, "an error inside the platform")
        finally:
            del self._under_way[message.id]

    async def _send(self, server: Sender, message: Message) -> None:
        left_s = (clock.parse(message.expires_at) - clock.now()).total_seconds()
        still = self._database.read(lambda tx: outbox.get(tx, message.id))
        if left_s <= 0 or still is None or still.status != "waiting":
            return  # it expired (the next round records that), or it was voided while it waited
        try:
            written = self._written(message)
        except (CannotOpen, ValueError, KeyError):
            await self._ended(message, "failed", "the sealed box belongs to another message")
            logger.warning("message discarded: its sealed box belongs to another message", message=message.id)
            return
        try:
            await server.send(message.recipient, written, min(LIMIT_S, left_s))
        except MailFailed as error:
            self._metrics.mails.labels(error.code).inc()
            logger.warning(
                "mail could not be sent", message=message.id, kind=message.kind, code=error.code, error=error.detail, hint=error.hint
            )
            if error.is_final:
                await self._ended(message, "failed", error.detail)
            else:
                await self._later(message, error.detail)
            return
        self._metrics.mails.labels("sent").inc()
        await self._ended(message, "sent")

    def _written(self, message: Message) -> Mail:
        if canonical(message.recipient) != message.recipient:
            raise ValueError("not an address")
        where = binding(message.id, message.kind, message.recipient, message.expires_at)
        values = bounded_json.loads(open_box(self._private_key, where, message.box or b""))
        return mail(message.kind, values, self._panel_url)

    async def _ended(self, message: Message, status: str, error: str | None = None) -> None:
        at = clock.text(clock.now())
        await self._database.write(lambda tx: outbox.end(tx, message.id, status, at, error))

    async def _later(self, message: Message, error: str) -> None:
        wait_s = AGAIN_S[min(message.attempts, len(AGAIN_S) - 1)]
        next_at = clock.text(clock.now() + timedelta(seconds=wait_s))
        await self._database.write(lambda tx: outbox.again(tx, message.id, error, next_at))
