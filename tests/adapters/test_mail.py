"""Handing a mail over: the three ways in, and servers that misbehave. Every wait has an end."""

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohappyeyeballs import AddrInfoType

from tests.fakes.mail_servers import (
    CERTIFICATE,
    PASSWORD,
    FullMail,
    HangingUpMail,
    RefusingMail,
    SilentMail,
    Sink,
    SlowMail,
    certificate,
    check_password,
    misbehaving,
    serving,
)
from zcplatform.adapters.mail import MailServer
from zcplatform.core.mails import Mail, MailFailed

MAIL = Mail("Your code", "01234567\n\nis your code\n")


def _server(port: int, security: str = "none", password_file: Path | None = None, *, trusts: bool = True) -> MailServer:
    return MailServer(
        host="localhost",
        port=port,
        security=security,
        username="ann" if password_file else None,
        password_file=password_file,
        sender="zc@example.com",
        ca_file=CERTIFICATE if trusts else None,
        name="panel.example.com",
    )


async def _fails(server: MailServer, code: str, limit_s: float = 5.0) -> MailFailed:
    started = time.monotonic()
    with pytest.raises(MailFailed) as failed:
        await server.send("bob@example.com", MAIL, limit_s)
    assert time.monotonic() - started < limit_s + 3
    assert failed.value.code == code
    assert "01234567" not in str(failed.value)
    return failed.value


async def test_a_mail_arrives_with_one_recipient_and_no_credential_in_its_headers() -> None:
    sink = Sink()
    async with serving(sink) as port:
        await _server(port).send("bob@example.com", MAIL)
    (got,) = sink.received
    assert (got.sender, got.recipients, got.code) == ("zc@example.com", ["bob@example.com"], "01234567")
    assert got.message["To"] == "bob@example.com"
    assert got.message["Auto-Submitted"] == "auto-generated"
    assert got.message["Message-ID"].endswith("@panel.example.com>")
    assert set(got.message.keys()) <= {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
    }  # fmt: skip


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_encrypted_and_signed_in(tmp_path: Path, security: str) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    sink = Sink()
    options = (
        {"tls_context": certificate(), "require_starttls": True} if security == "starttls" else {"tls": True, "auth_require_tls": False}
    )
    async with serving(sink, authenticator=check_password, **options) as port:
        await _server(port, security, password).send("bob@example.com", MAIL)
        password.write_text("wrong")
        await _fails(_server(port, security, password), "mail.password")
        password.chmod(0o644)
        await _fails(_server(port, security, password), "mail.password_file")
        password.unlink()
        await _fails(_server(port, security, password), "mail.password_file")
    assert len(sink.received) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_somebody_else_gets_nothing(security: str) -> None:
    sink = Sink()
    options = {"tls_context": certificate(), "require_starttls": True} if security == "starttls" else {"tls": True}
    async with serving(sink, **options) as port:
        await _fails(_server(port, security, trusts=False), "mail.tls")
    assert sink.received == []


async def test_starttls_is_never_done_without() -> None:
    sink = Sink()
    async with serving(sink) as port:
        await _fails(_server(port, "starttls"), "mail.unreachable")
    assert sink.received == []


async def test_a_recipient_who_is_refused_for_good_is_final() -> None:
    async with serving(RefusingMail()) as port:
        assert (await _fails(_server(port), "mail.recipient")).is_final


async def test_a_full_mailbox_is_not_final() -> None:
    async with serving(FullMail()) as port:
        assert not (await _fails(_server(port), "mail.refused")).is_final


async def test_hanging_up_in_the_middle_is_told() -> None:
    async with misbehaving(HangingUpMail) as port:
        assert "hung up" in (await _fails(_server(port), "mail.unreachable")).detail


@pytest.mark.parametrize("kind", [SilentMail, SlowMail])
async def test_silence_and_drops_have_an_end(kind: type) -> None:
    async with misbehaving(kind) as port:
        await _fails(_server(port), "mail.slow", 0.3)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
async def test_a_dead_address_before_a_live_one_costs_little(security: str) -> None:
    """F9: a host name with an IPv6 address that leads nowhere. Here: a full queue, which takes no connection and refuses none."""
    sink = Sink()
    options: dict[str, object] = {}
    if security == "starttls":
        options = {"tls_context": certificate(), "require_starttls": True}
    elif security == "tls":
        options = {"tls": True}
    with _dead_address() as dead:
        async with serving(sink, **options) as port:
            live = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))

            async def look_up(host: str, number: int) -> list[AddrInfoType]:
                assert (host, number) == ("localhost", port)
                return [dead, live]

            started = time.monotonic()
            await replace(_server(port, security), look_up=look_up).send("bob@example.com", MAIL, 10.0)
            assert time.monotonic() - started < 5

            async def only_dead(host: str, number: int) -> list[AddrInfoType]:
                return [dead]

            await _fails(replace(_server(port, security), look_up=only_dead), "mail.slow", 0.6)
    assert len(sink.received) == 1


async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    async def look_up(host: str, port: int) -> list[AddrInfoType]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    failed = await _fails(replace(_server(25), look_up=look_up), "mail.unreachable")
    assert "Name or service not known" in failed.detail


@contextlib.contextmanager
def _dead_address() -> Iterator[AddrInfoType]:
    """A listener whose queue is full: the kernel drops what knocks."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield (socket.AF_INET, socket.SOCK_STREAM, 6, "", listener.getsockname())


async def test_nobody_there() -> None:
    async with serving(Sink()) as port:
        pass
    await _fails(_server(port), "mail.unreachable")
