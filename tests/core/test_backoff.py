"""Waits: they grow to their maximum, and none that is longer is believed."""

from datetime import UTC, datetime, timedelta

import pytest

from zcplatform import clock
from zcplatform.core.backoff import FIRST_S, LONGEST_S, delay_s, is_due

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_waits_double_up_to_the_longest() -> None:
    assert [delay_s(failures, 0) for failures in (1, 2, 3, 6, 7, 10_000)] == [FIRST_S, 20, 40, LONGEST_S, LONGEST_S, LONGEST_S]
    assert delay_s(1, 1) == pytest.approx(FIRST_S * 1.2)


@pytest.mark.parametrize(
    ("seconds", "due"),
    [(-7_200, True), (-1, True), (0, True), (1, False), (LONGEST_S * 1.2, False), (LONGEST_S * 1.2 + 1, True), (7_200, True)],
)
def test_a_wait_beyond_the_longest_is_not_believed(seconds: float, due: bool) -> None:
    """As after a clock that was two hours ahead, or a row that somebody else wrote."""
    assert is_due(clock.text(NOW + timedelta(seconds=seconds)), NOW) is due


@pytest.mark.parametrize(("text", "due"), [(None, True), ("2999-01-01T00:00:00.000Z", True), ("", True), ("x", True)])
def test_other_values_make_nobody_wait(text: str | None, due: bool) -> None:
    assert is_due(text, NOW) is due
