"""Whether two kinds of answers differ in their times: Kolmogorov and Smirnov's test on samples taken in turn."""

from bisect import bisect_right
from collections.abc import Sequence
from math import log, sqrt

CHANCE = 1e-4
"""How often two samples of one kind are taken for two kinds."""


def differ(first: Sequence[float], second: Sequence[float]) -> bool:
    """Both sorted or not; says yes for samples of one kind once in `1 / CHANCE`."""
    limit = sqrt(-log(CHANCE / 2) / 2) * sqrt((len(first) + len(second)) / (len(first) * len(second)))
    return distance(first, second) > limit


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """The largest difference of the two distributions, 0 to 1."""
    one, two = sorted(first), sorted(second)
    return max(abs(bisect_right(one, at) / len(one) - bisect_right(two, at) / len(two)) for at in (*one, *two))


def would_show(first: Sequence[float], second: Sequence[float], seconds: float) -> bool:
    """Whether the samples are good enough for this: so much more work for one kind would be seen, noise and all."""
    return differ([time + seconds for time in first], second)
