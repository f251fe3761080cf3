"""Send one mail through the operator's mail server, in bounded time. The server may be slow, hostile or absent.

Errors contain the server's numeric reply and never its text, which may repeat what was sent to it.
"""

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import aiosmtplib
from aiohappyeyeballs import AddrInfoType, start_connection

from zcplatform import clock
from zcplatform.core.mails import LIMIT_S, Mail, MailFailed
from zcplatform.settings import Settings

USUAL_PORTS = {"starttls": 587, "tls": 465, "none": 25}
GOODBYE_S = 2.0
NEXT_ADDRESS_S = 0.25
"""RFC 8305: how long to wait for one address before also trying the next one."""
Addresses = Sequence[AddrInfoType]
LookUp = Callable[[str, int], Awaitable[Addresses]]


async def _look_up(host: str, port: int) -> Addresses:
    return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    security: str
    username: str | None
    password_file: Path | None
    sender: str
    ca_file: Path | None
    name: str
    """The name that we announce. It is never looked up."""
    look_up: LookUp = field(default=_look_up, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "MailServer | None":
        """Return the configured server; None if mail is not configured."""
        if settings.mail_host is None or settings.mail_from is None:
            return None
        return cls(
            host=settings.mail_host,
            port=settings.mail_port or USUAL_PORTS[settings.mail_security],
            security=settings.mail_security,
            username=settings.mail_username,
            password_file=settings.mail_password_file,
            sender=settings.mail_from,
            ca_file=settings.mail_ca_file,
            name=settings.panel_host,
        )

    async def send(self, recipient: str, mail: Mail, limit_s: float = LIMIT_S) -> None:
        """Send a mail. Raises MailFailed within `limit_s`. A server that is cut off in the middle has not received the whole mail."""
        client = None
        try:
            async with asyncio.timeout(limit_s):
                client = await self._client(limit_s)
                await client.connect()
                if self.username is not None:
                    await client.login(self.username, await asyncio.to_thread(self._password))
                await client.send_message(_message(self.sender, recipient, mail, self.name), sender=self.sender, recipients=[recipient])
        except aiosmtplib.SMTPAuthenticationError as error:
            raise self._failed("mail.password", f"refused the user name or password ({error.code})", "Check mail_password_file") from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code
            raise self._failed("mail.recipient", f"refused the recipient ({code})", is_final=code >= 500) from None
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as error:
            raise self._failed("mail.refused", f"refused the mail ({error.code})", "Check mail_from and what the server allows") from None
        except (TimeoutError, aiosmtplib.SMTPTimeoutError):
            raise self._failed("mail.slow", f"did not accept the mail within {limit_s:.0f} s", "See the log of the mail server") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
                raise self._failed(
                    "mail.tls", "has no certificate that we trust", "Set mail_ca_file, or mail_host to the name in its certificate"
                ) from None
            raise self._failed("mail.unreachable", _why(error), "Check mail_host, mail_port and mail_security") from None
        finally:
            if client is not None:
                await _end(client)

    async def _client(self, limit_s: float) -> aiosmtplib.SMTP:
        """Connect to whichever address answers first: a dead one, as IPv6 often is, costs a quarter of a second."""
        context = await asyncio.to_thread(self._trust) if self.security != "none" else None
        connection = await start_connection(await self.look_up(self.host, self.port), happy_eyeballs_delay=NEXT_ADDRESS_S)
        return aiosmtplib.SMTP(
            hostname=self.host,
            sock=connection,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=context,
            local_hostname=self.name,
            timeout=limit_s,
        )

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except (OSError, ssl.SSLError):
            raise MailFailed("mail.ca_file", f"`mail_ca_file` {self.ca_file} cannot be read", "Name a file of PEM certificates") from None

    def _password(self) -> str:
        """Read the password. Like the key file, it must be owned by root and readable only by root."""
        path = self.password_file
        try:
            descriptor = os.open(path or "", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise MailFailed("mail.password_file", f"`mail_password_file` {path} cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
                raise MailFailed("mail.password_file", f"{path} must be a plain file of root with mode 0600", f"chmod 600 {path}")
            return file.read(2_000).strip()

    def _failed(self, code: str, what: str, hint: str = "", *, is_final: bool = False) -> MailFailed:
        return MailFailed(code, f"The mail server {self.host}:{self.port} {what}", hint, is_final=is_final)


def _message(sender: str, recipient: str, mail: Mail, name: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"zcplatform <{sender}>"
    message["To"] = recipient
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = make_msgid(domain=name)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _why(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"answered {error.code} at an unexpected point"
    if isinstance(error, aiosmtplib.SMTPServerDisconnected):
        return "hung up"
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return "offers no STARTTLS, or no way to sign in"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be reached: {error.strerror}"
    return "cannot be reached"


async def _end(client: aiosmtplib.SMTP) -> None:
    try:
        if client.is_connected:
            async with asyncio.timeout(GOODBYE_S):
                await client.quit()
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        pass  # the mail has been accepted; QUIT is only a courtesy
    finally:
        client.close()
