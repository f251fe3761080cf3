"""Sizes, money, durations and ages as people read and write them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.cli import formats

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (999, "999B"), (512 << 20, "512M"), (3 << 29, "1.5G"), (1 << 30, "1G"), (5 << 40, "5T"), (None, "")]
)
def test_sizes_are_short_and_can_be_typed_back(count: int | None, text: str) -> None:
    assert formats.size(count) == text
    assert count is None or formats.parse_size(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("512M", 512 << 20), ("1.5G", 3 << 29), ("1.5g", 3 << 29), ("2GiB", 2 << 30), ("4 KB", 4096), ("268435456", 1 << 28)],
)
def test_sizes_are_accepted_as_people_write_them(text: str, count: int) -> None:
    assert formats.parse_size(text) == count


@pytest.mark.parametrize("text", ["", "M", "-1M", "1.5", "1e3", "½G", "512X", "١M", "1.0000001G", "0x10"])
def test_what_is_no_size_is_none(text: str) -> None:
    assert formats.parse_size(text) is None


@given(st.integers(0, 2**53))
def test_money_that_is_shown_can_be_typed_back(micros: int) -> None:
    assert formats.parse_dollars(formats.dollars(micros)) == micros


@pytest.mark.parametrize(("text", "micros"), [("5", 5_000_000), ("5.00", 5_000_000), ("$0.5", 500_000), ("0.000001", 1), ("0", 0)])
def test_money_is_accepted_in_dollars(text: str, micros: int) -> None:
    assert formats.parse_dollars(text) == micros


@pytest.mark.parametrize("text", ["", "-1", "1e999999999", "nan", "inf", "0.0000001", "five"])
def test_what_is_no_money_is_none(text: str) -> None:
    assert formats.parse_dollars(text) is None


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("5m", 300), ("1h30m", 5400), ("7d", 604800)])
def test_durations(text: str, seconds: int) -> None:
    assert formats.parse_duration(text) == timedelta(seconds=seconds)


def test_since_counts_back_and_passes_times_on() -> None:
    assert formats.since("5m", NOW) == "2026-03-01T11:55:00.000Z"
    assert formats.since("2026-01-01T00:00:00Z", NOW) == "2026-01-01T00:00:00Z"
    assert formats.since(None, NOW) is None


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-03-01T11:59:30Z", "30s ago"),
        ("2026-03-01T09:00:00.000Z", "3h ago"),
        ("2026-02-01T00:00:00Z", "28d ago"),
        ("2026-03-08T12:00:00Z", "in 7d"),
        ("2026-03-01T12:00:00Z", "now"),
        (None, ""),
        ("soon", "soon"),
    ],
)
def test_ages(at: str | None, text: str) -> None:
    assert formats.age(at, NOW) == text
