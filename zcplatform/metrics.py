"""Metrics of this process in Prometheus' text format. Used by one thread, that of the event loop.

The usual library includes web servers and collectors of its own: 2.5 MB in the two processes, for the lines below.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

_ESCAPED = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Series(Protocol):
    def samples(self) -> Iterator[tuple[str, str, float]]:
        """Each with a suffix of the name, and `le` for the buckets of a histogram."""


class Counter:
    def __init__(self) -> None:
        self._value = 0

    def inc(self) -> None:
        self._value += 1

    def samples(self) -> Iterator[tuple[str, str, float]]:
        yield "", "", self._value


class Gauge:
    def __init__(self) -> None:
        self._value = 0.0

    def set(self, value: float) -> None:
        self._value = value

    def samples(self) -> Iterator[tuple[str, str, float]]:
        yield "", "", self._value


class Histogram:
    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def samples(self) -> Iterator[tuple[str, str, float]]:
        below = 0
        for bound, count in zip((*map(float, self._bounds), "+Inf"), self._counts, strict=True):
            below += count
            yield "_bucket", str(bound), below
        yield "_count", "", below
        yield "_sum", "", self._sum


S = TypeVar("S", bound=Series)


class Family(Generic[S]):
    """One metric, with a series for each set of label values."""

    def __init__(self, head: str, name: str, labels: Sequence[str], new: Callable[[], S]) -> None:
        self._head = head
        self._name = name
        self._labels = labels
        self._new = new
        self._series: dict[tuple[str, ...], S] = {}

    def labels(self, *values: str) -> S:
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, not {values}")
        if values not in self._series:
            self._series[values] = self._new()
        return self._series[values]

    def clear(self) -> None:
        self._series.clear()

    def lines(self) -> Iterator[str]:
        yield self._head
        for values, series in self._series.items():
            named = [f'{label}="{value.translate(_ESCAPED)}"' for label, value in zip(self._labels, values, strict=True)]
            for suffix, bound, value in series.samples():
                labels = ",".join([*named, f'le="{bound}"'] if bound else named)
                yield f"{self._name}{suffix}{{{labels}}} {float(value)}" if labels else f"{self._name}{suffix} {float(value)}"


class Registry:
    def __init__(self) -> None:
        self._families: list[Family[Counter] | Family[Gauge] | Family[Histogram]] = []

    def counter(self, name: str, what: str, labels: Sequence[str] = ()) -> Family[Counter]:
        family = Family(_head(f"{name}_total", what, "counter"), f"{name}_total", labels, Counter)
        self._families.append(family)
        return family

    def gauge(self, name: str, what: str, labels: Sequence[str] = ()) -> Family[Gauge]:
        family = Family(_head(name, what, "gauge"), name, labels, Gauge)
        self._families.append(family)
        return family

    def histogram(self, name: str, what: str, labels: Sequence[str], bounds: Sequence[float]) -> Family[Histogram]:
        family = Family(_head(name, what, "histogram"), name, labels, lambda: Histogram(bounds))
        self._families.append(family)
        return family

    def text(self) -> str:
        return "".join(f"{line}\n" for family in self._families for line in family.lines())


def _head(name: str, what: str, kind: str) -> str:
    return f"# HELP {name} {what}\n# TYPE {name} {kind}"
