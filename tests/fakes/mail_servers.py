"""Mail servers on a port of their own: an honest one that keeps what it gets, and others named by their vice.

`mail_server.pem` is a certificate for localhost with its key, good for nothing but these tests.
"""

import asyncio
import email
import email.policy
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

CERTIFICATE = Path(__file__).with_name("mail_server.pem")
PASSWORD = "correct horse"


def certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@dataclass
class Received:
    sender: str
    recipients: list[str]
    message: EmailMessage

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")

    @property
    def code(self) -> str:
        found = re.match(r"(\d{8})\n", self.text)
        assert found, self.text
        return found[1]


@dataclass
class Sink:
    """Takes everything."""

    received: list[Received] = field(default_factory=list)

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        message = email.message_from_bytes(envelope.content or b"", policy=email.policy.default)  # type: ignore[arg-type]
        self.received.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), message))  # type: ignore[arg-type]
        return "250 taken"

    def to(self, recipient: str) -> list[Received]:
        return [one for one in self.received if one.recipients == [recipient]]


class RefusingMail(Sink):
    """Nobody lives here."""

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        return "550 5.1.1 no such user"


class FullMail(Sink):
    """Always full: try later."""

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        self.received.append(Received(envelope.mail_from or "", [], EmailMessage()))
        return "452 4.2.2 mailbox full"


def check_password(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    return AuthResult(handled=False, success=isinstance(data, LoginPassword) and data.password == PASSWORD.encode())


@asynccontextmanager
async def serving(handler: object, *, tls: bool = False, **options: Any) -> AsyncIterator[int]:
    """The port of an SMTP server."""

    def protocol() -> SMTP:
        return SMTP(handler, hostname="sink.example", loop=asyncio.get_running_loop(), **options)

    async with _port(protocol, certificate() if tls else None) as port:
        yield port


@asynccontextmanager
async def _port(protocol: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class SilentMail(asyncio.Protocol):
    """Takes the connection and never says a word."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


class HangingUpMail(asyncio.Protocol):
    """Polite until the mail itself comes, then gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 hello\r\n")

    def data_received(self, data: bytes) -> None:
        if data.upper().startswith(b"DATA"):
            self.transport.write(b"354 go ahead\r\n")
        elif data[:4].upper() in (b"EHLO", b"HELO", b"MAIL", b"RCPT"):
            self.transport.write(b"250 fine\r\n")
        else:
            self.transport.close()


class SlowMail(asyncio.Protocol):
    """A tarpit: one character of an answer that never ends, again and again, so that no single wait is long."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220-")
        self.drip()

    def drip(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b".")
            asyncio.get_running_loop().call_later(0.02, self.drip)


@asynccontextmanager
async def misbehaving(kind: Callable[[], asyncio.BaseProtocol]) -> AsyncIterator[int]:
    async with _port(kind) as port:
        yield port
