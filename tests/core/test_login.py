"""Every limit of a login at its edge, with the time as a parameter; and that codes are drawn as they must be."""

import ast
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from zcplatform import clock
from zcplatform.core import login
from zcplatform.core.login import Earlier, may_send, network, typed
from zcplatform.ops import login as codes

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2] / "zcplatform"


def _earlier(ago: timedelta, tries: int = 0, *, is_used: bool = False, is_open: bool = False) -> Earlier:
    return Earlier(clock.text(NOW - ago), tries, is_used, is_open)


def test_the_first_code_is_sent() -> None:
    assert may_send([], NOW)


def test_three_in_ten_minutes_and_ten_a_day() -> None:
    assert may_send([_earlier(timedelta(minutes=1))] * 2, NOW)
    assert not may_send([_earlier(timedelta(minutes=1))] * 3, NOW)
    assert not may_send([_earlier(timedelta(minutes=9, seconds=59))] * 3, NOW)
    assert may_send([_earlier(timedelta(minutes=10))] * 3, NOW)
    assert may_send([_earlier(timedelta(hours=2))] * 9, NOW)
    assert not may_send([_earlier(timedelta(hours=2))] * 10, NOW)


def test_twenty_wrong_tries_a_day() -> None:
    assert may_send([_earlier(timedelta(hours=2), 5)] * 3, NOW)
    assert not may_send([_earlier(timedelta(hours=2), 4)] * 4, NOW)
    assert may_send([_earlier(timedelta(hours=2), 5, is_used=True)] * 3, NOW)


def test_what_was_sent_keeps_its_tries() -> None:
    """An open one has five promised: with three of them, and five wrong ones before, no fourth is sent."""
    promised = [_earlier(timedelta(minutes=11), is_open=True)] * 3
    assert may_send(promised, NOW)
    assert not may_send([*promised, _earlier(timedelta(hours=2), 1)], NOW)


@pytest.mark.parametrize(("text", "code"), [("01234567", "01234567"), ("0123 4567", "01234567"), ("0123-4567", "01234567")])
def test_a_code_as_it_is_typed(text: str, code: str) -> None:
    assert typed(text) == code


@pytest.mark.parametrize("text", ["", "1234567", "123456789", "1234567a", "\u0661" * 8, "1234567\n", "+1234567", "1e234567"])
def test_what_is_no_code(text: str) -> None:
    assert typed(text) is None


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("local", "local"),
        ("203.0.113.7, 10.0.0.1", "local"),
    ],
)
def test_who_counts_as_one(address: str, counted: str) -> None:
    assert network(address) == counted


def test_codes_are_evenly_drawn_and_keep_their_zeros() -> None:
    """S-01: for each of the eight digits chi-square with 9 degrees of freedom; 33.7 is exceeded once in ten thousand."""
    drawn = [codes.new_code() for _ in range(100_000)]
    assert {len(code) for code in drawn} == {8}
    for position in range(8):
        counts = Counter(code[position] for code in drawn)
        assert sum((counts[str(digit)] - 10_000) ** 2 / 10_000 for digit in range(10)) < 40


def test_nothing_imports_the_weak_random() -> None:
    """S-01: in what signs people in, chance comes from the system."""
    for path in [
        *ROOT.glob("*/*login*.py"),
        *ROOT.glob("*/sessions.py"),
        *ROOT.glob("vault/*.py"),
        ROOT / "ids.py",
        ROOT / "web" / "auth.py",
    ]:
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        assert "random" not in names, path


def test_limits_are_what_was_promised() -> None:
    assert (8, 5, 20, timedelta(minutes=10)) == (login.DIGITS, login.TRIES, login.TRIES_A_DAY, login.CODE_LIVES)
    assert (timedelta(minutes=15), timedelta(hours=24)) == (login.LINK_LIVES, login.SESSION_LIVES)
