"""S-10: the time of an answer does not show whether an address is known. Requested in turn, in one process, each from a network of its own."""

import random
import time

import pytest

from tests.timing import differ, distance, would_show
from tests.web.conftest import AT, Web
from tests.web.conftest import web as web
from tests.web.people import CODE, browser, person

KINDS = ("known", "unknown", "disabled")
SEEN_S = 0.003
"""More work than this for one kind must not stay hidden."""
ROUND, MOST = 50, 1_000


class Asker:
    """Numbers the callers, so that no limit of a network or a mailbox is met."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self.times: dict[str, list[float]] = {kind: [] for kind in KINDS}

    async def ask(self, kind: str) -> None:
        number = len(self.times[kind])
        email = f"{kind}{number}@example.com"
        if kind != "unknown":
            person(self._web, email, disabled_at=AT if kind == "disabled" else None)
        async with browser(self._web, f"203.{KINDS.index(kind)}.{number // 250}.{number % 250}") as client:
            started = time.perf_counter()
            answer = await client.post(CODE, json={"email": email})
            self.times[kind].append(time.perf_counter() - started)
        assert answer.status_code == 202

    def is_enough(self) -> bool:
        return all(would_show(self.times[kind], self.times["unknown"], SEEN_S) for kind in ("known", "disabled"))


async def test_known_unknown_and_disabled_addresses_are_not_told_apart_by_time(web: Web) -> None:
    """As many samples as this machine's noise needs for three milliseconds to show; then the kinds must not differ."""
    asker = Asker(web)
    while len(asker.times["known"]) < MOST:
        for _ in range(ROUND):
            for kind in random.sample(KINDS, 3):
                await asker.ask(kind)
        if asker.is_enough():
            break
    assert asker.is_enough(), "this machine is too noisy to measure three milliseconds"
    for kind in ("known", "disabled"):
        told = f"{kind}: {distance(asker.times[kind], asker.times['unknown']):.2f}"
        assert not differ(asker.times[kind], asker.times["unknown"]), told


@pytest.mark.parametrize(("more", "is_seen"), [(0.0, False), (0.003, True)])
def test_the_measure_tells_three_milliseconds_from_none(more: float, is_seen: bool) -> None:
    chance = random.Random(7)
    samples = [[0.004 + abs(chance.gauss(0, 0.001)) for _ in range(200)] for _ in range(2)]
    assert differ([time + more for time in samples[0]], samples[1]) is is_seen
