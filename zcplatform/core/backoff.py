"""How long to wait before the next attempt: 10, 20, 40 … 300 seconds, with up to a fifth of jitter (R-24)."""

FIRST_S = 10.0
LONGEST_S = 300.0
UNREACHABLE_S = 5.0
"""The engine or the edge does not answer: look again soon, there is nothing to overload."""
CALM_S = 600.0
"""Healthy for this long, and earlier failures are forgotten."""


def delay_s(failures: int, jitter: float) -> float:
    """`failures` in a row, at least 1; `jitter` between 0 and 1 is the caller's random number."""
    exact = min(LONGEST_S, FIRST_S * 2.0 ** (failures - 1)) if failures < 10 else LONGEST_S
    return exact * (1 + 0.2 * jitter)
