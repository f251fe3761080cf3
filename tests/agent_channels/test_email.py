"""E-mail against Dovecot (IMAP) and aiosmtpd (SMTP), both over TLS with a certificate that the agent checks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent_channels.mail import Outgoing, deliver, outgoing
from tests.agent_channels.rig import ANSWER_S, Channel, Place, component, talking, wait_for_line
from tests.agent_channels.servers import HOST, Imap, dovecot
from tests.agent_channels.trust import Certificate, Trust
from tests.live.waiting import wait_until

FRIEND = "alice@friends.test"


@pytest.fixture(scope="module")
def certificate(trust: Trust) -> Certificate:
    return trust.certificate("localhost", HOST)


@pytest.fixture
def mailbox(certificate: Certificate) -> Iterator[Imap]:
    with dovecot(certificate) as running:
        yield running


@pytest.fixture
def sent(mailbox: Imap, certificate: Certificate) -> Iterator[Outgoing]:
    with outgoing(mailbox, certificate) as running:
        yield running


def channel(mailbox: Imap, sent: Outgoing) -> Channel:
    hosts = {"imap_host": "localhost", "imap_port": mailbox.port, "smtp_host": "localhost", "smtp_port": sent.port}
    fields = {**hosts, "username": mailbox.user, "from_address": mailbox.user}
    return Channel("email.main", fields, {"password": mailbox.password}, peers=(FRIEND,))


def test_a_friend_is_answered_once_and_a_stranger_is_not(
    place: Place, believing: Path, mailbox: Imap, sent: Outgoing, certificate: Certificate, tmp_path: Path
) -> None:
    for directory in ("first", "second"):
        (tmp_path / directory).mkdir()
    there = replace(place, program=believing)
    with talking(there, tmp_path / "first", channel(mailbox, sent)) as agent:
        wait_for_line(agent, "Email channel listening on INBOX")
        deliver(mailbox, certificate, "mallory@strangers.test", "strange words", 1)
        deliver(mailbox, certificate, f"Alice <{FRIEND}>", "friendly words", 2)
        wait_until(lambda: bool(sent.mails), ANSWER_S, "the answer is sent")
        [answer] = sent.mails
        body = answer.get_body(("plain",))
        assert body is not None
        assert "friendly words" in body.get_content()
        assert (answer["To"], answer["From"], answer["Subject"]) == (FRIEND, mailbox.user, "Re: A question")
        assert answer["In-Reply-To"] == "<2@friends.test>"
    # As the platform sets it (`observer_mode`), a restart answers nothing again; with the agent's own default each mail of the last run would be.
    with talking(there, tmp_path / "second", channel(mailbox, sent)) as agent:
        wait_for_line(agent, "Email channel listening on INBOX")
        deliver(mailbox, certificate, FRIEND, "later words", 3)
        wait_until(lambda: len(sent.mails) > 1, ANSWER_S, "the answer is sent")
        assert [mail["In-Reply-To"] for mail in sent.mails] == ["<2@friends.test>", "<3@friends.test>"]
    assert not place.model.heard("strange words")


def test_a_certificate_of_no_known_authority_is_refused(place: Place, mailbox: Imap, sent: Outgoing, tmp_path: Path) -> None:
    with talking(place, tmp_path, channel(mailbox, sent)) as agent:
        wait_for_line(agent, "IMAP session error: invalid peer certificate")
        # Its health does not show it.
        health = component(agent, "channel:email.main")
        assert (health["status"], health["restart_count"]) == ("ok", 0)
