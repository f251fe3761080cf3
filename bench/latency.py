"""The API at twenty requests a second, idle and while twenty tenants are deployed.

Open model: requests arrive when they are due (exponential gaps, the same in each run), whether or not the one before was answered, and
their time counts from then.
A slow answer therefore delays nobody else's arrival, and waiting in a queue counts. The client runs on the same processors as what is measured,
so it takes precedence over all others there: real visitors would not wait for these processors.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.api import Api
from bench.figures import Report, figure, percentile, ratio
from bench.rig import Rig

PER_SECOND = 20
COUNT, QUICK_COUNT = 20, 8
PAIRS, QUICK_PAIRS = 3, 1
IDLE_S, QUICK_IDLE_S = 15, 6
TARGET = 5


async def measure(rig: Rig, *, quick: bool) -> Report:
    with _client_first():
        return await _measure(rig, quick=quick)


async def _measure(rig: Rig, *, quick: bool) -> Report:
    count = QUICK_COUNT if quick else COUNT
    idle: list[list[float]] = []
    busy: list[list[float]] = []
    took: list[float] = []
    await rig.api.create(["looked0", "looked1"])
    operation = await rig.api.deploy("looked0")
    paths = _paths(operation["id"])
    for pair in range(QUICK_PAIRS if quick else PAIRS):
        slugs = [f"load{pair}n{number}" for number in range(count)]
        await rig.api.create(slugs)
        end = time.perf_counter() + (QUICK_IDLE_S if quick else IDLE_S)
        idle.append(await _load(rig.api, paths, pair, partial(_is_before, end)))
        started = time.perf_counter()
        deploys = asyncio.create_task(rig.api.deploy_all(slugs, look_every_s=0.5))
        busy.append(await _load(rig.api, paths, pair, partial(_is_under_way, deploys)))
        await deploys
        took.append(time.perf_counter() - started)
        await rig.api.delete_all(slugs)
    await rig.api.delete_all(["looked0", "looked1"])
    return _report(count, idle, busy, took)


@contextmanager
def _client_first() -> Iterator[None]:
    """The kernel shares the processors among sessions: nice(2) would count only inside ours."""
    weight = Path("/proc/self/autogroup")
    try:
        weight.write_text("-15")
        yield
    finally:
        weight.write_text("0")


def _report(count: int, idle: list[list[float]], busy: list[list[float]], took: list[float]) -> Report:
    idle_p99, busy_p99 = ([percentile(one, 0.99) for one in which] for which in (idle, busy))
    all_idle, all_busy = ([*itertools.chain(*which)] for which in (idle, busy))
    pooled = percentile(all_busy, 0.99) / percentile(all_idle, 0.99)
    figures = [
        figure("p99 of all requests, during deploys / idle", "×", [pooled], TARGET),
        ratio("p99 pair by pair, during deploys / idle", busy_p99, idle_p99, TARGET),
    ]
    for name, each, everything in (("idle", idle_p99, all_idle), ("during deploys", busy_p99, all_busy)):
        figures += [
            figure(f"p99 of each round, {name}", "ms", (value * 1000 for value in each)),
            figure(f"each request, {name}", "ms", (value * 1000 for value in everything)),
            figure(f"p95 of all, {name}", "ms", [percentile(everything, 0.95) * 1000]),
            figure(f"p99 of all, {name}", "ms", [percentile(everything, 0.99) * 1000]),
        ]
    figures.append(figure(f"{count} deploys under this load", "s", took))
    return Report(f"latency: GET at {PER_SECOND}/s, idle and during {count} deploys", figures)


def _paths(operation_id: str) -> Iterator[str]:
    """What a panel asks for."""
    return itertools.cycle(
        (
            "/api/tenants",
            "/api/tenants/looked0",
            f"/api/operations/{operation_id}",
            "/api/tenants/looked1",
            "/api/images",
            "/api/tenants/looked0/operations",
            "/readyz",
        )
    )


async def _load(api: Api, paths: Iterator[str], seed: int, goes_on: Callable[[], bool]) -> list[float]:
    gaps = random.Random(seed)
    due = time.perf_counter()
    under_way: list[asyncio.Task[float]] = []
    while goes_on():
        due += gaps.expovariate(PER_SECOND)
        await asyncio.sleep(due - time.perf_counter())
        under_way.append(asyncio.create_task(_one(api, next(paths), due)))
    return await asyncio.gather(*under_way)


def _is_before(end: float) -> bool:
    return time.perf_counter() < end


def _is_under_way(task: asyncio.Task[list[dict[str, Any]]]) -> bool:
    return not task.done()


async def _one(api: Api, path: str, due: float) -> float:
    await api.ask("GET", path)
    return time.perf_counter() - due
