"""IRC against ngircd: always over TLS, answered by nick, in private and in rooms."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent_channels.rig import ANSWER_S, Channel, Place, component, talking, wait_for_line
from tests.agent_channels.servers import HOST, Irc, ngircd
from tests.agent_channels.trust import Trust
from tests.live.waiting import wait_until


class Person:
    def __init__(self, server: Irc, nick: str) -> None:
        self.nick = nick
        self.read: list[str] = []
        self._socket = socket.create_connection((server.host, server.port), timeout=ANSWER_S)
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\r\n")
        self.write(*([f"PASS {server.password}"] if server.password else []), f"NICK {nick}", f"USER {nick} 0 * :{nick}", "JOIN #room")
        self.until("366")

    def write(self, *lines: str) -> None:
        self._socket.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def until(self, words: str) -> str:
        """The first line from now on that holds the words; the connection's time limit ends the wait."""
        for line in self._lines:
            self.read.append(line)
            if words in line:
                return line
        raise AssertionError(f"{self.nick} read no {words!r}: {self.read}")

    def end(self) -> None:
        self._lines.close()
        self._socket.close()


@pytest.fixture(scope="module")
def server(trust: Trust) -> Iterator[Irc]:
    with ngircd(trust.certificate("localhost", HOST)) as running:
        yield running


def channel(server: Irc, **changed: object) -> Channel:
    fields = {"server": "localhost", "port": server.tls_port, "nickname": "agent", "channels": ["#room"], "mention_only": True, **changed}
    return Channel("irc.main", fields, peers=("alice",))


def test_a_friend_is_answered_in_private_and_in_the_room_and_a_stranger_is_not(
    place: Place, believing: Path, server: Irc, tmp_path: Path
) -> None:
    alice, mallory = Person(server, "alice"), Person(server, "mallory")
    try:
        with talking(replace(place, program=believing), tmp_path, channel(server)):
            alice.until(":agent!~agent@")
            mallory.write("PRIVMSG agent :strange words", "PRIVMSG #room :agent: strange words in the room")
            alice.write("PRIVMSG #room :words for nobody", "PRIVMSG agent :private words")
            alice.until("PRIVMSG alice :echo: ")
            alice.until("private words")
            alice.write("PRIVMSG #room :agent: public words")
            alice.until("PRIVMSG #room :echo: ")
            assert place.model.heard("public words")
            assert not place.model.heard("strange words")
            assert not place.model.heard("words for nobody")
    finally:
        alice.end()
        mallory.end()


def test_a_certificate_of_no_known_authority_is_refused_unless_the_setting_says_otherwise(
    place: Place, server: Irc, tmp_path: Path
) -> None:
    (tmp_path / "strict").mkdir()
    (tmp_path / "lax").mkdir()
    with talking(place, tmp_path / "strict", channel(server)) as agent:
        wait_until(lambda: "certificate" in component(agent, "channel:irc.main").get("last_error", ""), ANSWER_S, "the agent says why")
    with talking(place, tmp_path / "lax", channel(server, verify_tls=False)) as agent:
        wait_for_line(agent, "registered as agent")


def test_twitch_is_irc_at_a_fixed_name_with_the_token_as_password(place: Place, believing: Path, trust: Trust, tmp_path: Path) -> None:
    """The name leads to this machine here; that Twitch itself speaks like this server is its documentation's word."""
    with ngircd(trust.certificate("irc.chat.twitch.tv"), "127.0.0.2", 6697, "oauth:twitch-canary") as server:
        alice, mallory = Person(server, "alice"), Person(server, "mallory")
        channel = Channel(
            "twitch.main",
            {"bot_username": "Agent", "channels": ["room"], "mention_only": True},
            {"oauth_token": "twitch-canary"},
            ("alice",),
        )
        try:
            with talking(replace(place, program=believing), tmp_path, channel):
                alice.until(":agent!~agent@")
                mallory.write("PRIVMSG #room :agent: strange words")
                alice.write("PRIVMSG #room :agent: friendly words")
                alice.until("PRIVMSG #room :echo: ")
                assert place.model.heard("friendly words")
                assert not place.model.heard("strange words")
        finally:
            alice.end()
            mallory.end()
