"""A mail service: the mailbox is Dovecot's, what the agent sends arrives at an SMTP server of this process."""

import asyncio
import imaplib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.agent_channels.servers import HOST, Imap
from tests.agent_channels.trust import Certificate


class Outgoing:
    """What the agent sent. It must log in with the mailbox's name and password, inside TLS."""

    def __init__(self, mailbox: Imap) -> None:
        self.port = 0
        self.mails: list[EmailMessage] = []
        self._mailbox = mailbox

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  the library asks for this name
        if not session.authenticated:
            return "530 log in first"
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def login(self, _server: object, _session: object, _envelope: object, _mechanism: str, given: object) -> AuthResult:
        expected = (self._mailbox.user.encode(), self._mailbox.password.encode())
        return AuthResult(success=isinstance(given, LoginPassword) and (given.login, given.password) == expected)


@contextmanager
def outgoing(mailbox: Imap, certificate: Certificate) -> Iterator[Outgoing]:
    made = Outgoing(mailbox)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    loop = asyncio.new_event_loop()

    def session() -> SMTP:
        return SMTP(made, authenticator=made.login, auth_require_tls=False, loop=loop)

    server = loop.run_until_complete(loop.create_server(session, HOST, 0, ssl=context))
    made.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def deliver(mailbox: Imap, authority: Certificate, sender: str, words: str, number: int) -> None:
    """As a mail that has just arrived."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"], mail["Message-ID"] = sender, mailbox.user, "A question", f"<{number}@friends.test>"
    mail.set_content(words)
    context = ssl.create_default_context(cafile=str(authority.authority))
    with imaplib.IMAP4_SSL("localhost", mailbox.port, ssl_context=context) as connection:
        connection.login(mailbox.user, mailbox.password)
        connection.append("INBOX", "", None, mail.as_bytes())
