"""How long to wait before the next attempt: 10, 20, 40 … 300 seconds, with up to a fifth of jitter (R-24)."""

from datetime import datetime, timedelta

from zcplatform import clock

FIRST_S = 10.0
LONGEST_S = 300.0
LONGEST_FAILURES = 10
UNREACHABLE_S = 5.0
"""Retry delay while the engine or the edge does not respond. Short, because there is nothing to overload."""
CALM_S = 600.0
"""After this long in good health, earlier failures no longer count."""


def delay_s(failures: int, jitter: float) -> float:
    """`failures` in a row, at least 1; `jitter` between 0 and 1 is the caller's random number."""
    exact = min(LONGEST_S, FIRST_S * 2.0 ** (failures - 1)) if failures < LONGEST_FAILURES else LONGEST_S
    return exact * (1 + 0.2 * jitter)


def is_due(next_attempt_at: str | None, now: datetime) -> bool:
    """Whether to try again now. A time beyond the longest delay is ignored: it was written while the clock was ahead, or by another program."""
    if next_attempt_at is None:
        return True
    latest = now + timedelta(seconds=delay_s(LONGEST_FAILURES, 1))
    return not clock.text(now) < next_attempt_at <= clock.text(latest)
