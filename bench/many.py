"""Fifty tenants asked for at once against fifty bare containers, four at a time in the engine's hands.

The platform gives a tenant's place to the next one when its container was started: waiting for the agent loads no engine. The bare containers are made
both ways: keeping the place until the agent is healthy, which is what a simple script does, and giving it away as the platform does.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from bench.bare import Bare, Prepared
from bench.figures import Report, figure, ratio
from bench.rig import PARALLEL, Rig

COUNT, QUICK_COUNT = 50, 12
ROUNDS, QUICK_ROUNDS = 2, 1
TARGET = 1.15
Steps = dict[str, float]
Way = Callable[[Bare, asyncio.Semaphore, Prepared], Awaitable[Steps]]


async def measure(rig: Rig, *, quick: bool) -> Report:
    count = QUICK_COUNT if quick else COUNT
    ours: list[float] = []
    kept: list[float] = []
    given: list[float] = []
    steps: list[Steps] = []
    bare_steps: list[Steps] = []
    for turn in range(QUICK_ROUNDS if quick else ROUNDS):
        slugs = [f"many{turn}n{number}" for number in range(count)]
        ours.append(await _ours(rig, slugs, steps))
        kept.append(await _theirs(rig.bare, slugs, _keeping, bare_steps))
        given.append(await _theirs(rig.bare, slugs, _giving, []))
    return Report(
        f"many: {count} tenants, {PARALLEL} at a time, against {count} bare containers",
        [
            ratio("all deploys / all bare", ours, kept, TARGET),
            ratio("all deploys / all bare, places given away at start", ours, given, TARGET),
            figure("all deploys", "s", ours),
            figure("all bare", "s", kept),
            figure("all bare, places given away at start", "s", given),
        ],
        {"deploy, by step (the first is the wait for a place)": _medians(steps), "bare, by call": _medians(bare_steps)},
    )


async def _ours(rig: Rig, slugs: list[str], steps: list[Steps]) -> float:
    await rig.api.create(slugs)
    started = time.perf_counter()
    operations = await rig.api.deploy_all(slugs)
    taken = time.perf_counter() - started
    steps += [await rig.api.step_times(operation) for operation in operations]
    await rig.api.delete_all(slugs)
    return taken


async def _theirs(bare: Bare, slugs: list[str], way: Way, steps: list[Steps]) -> float:
    prepared = [bare.prepare(slug, number) for number, slug in enumerate(slugs)]
    places = asyncio.Semaphore(PARALLEL)
    started = time.perf_counter()
    steps += await asyncio.gather(*(way(bare, places, one) for one in prepared))
    taken = time.perf_counter() - started
    await asyncio.gather(*(bare.remove(one) for one in prepared))
    return taken


async def _keeping(bare: Bare, places: asyncio.Semaphore, prepared: Prepared) -> Steps:
    async with places:
        return await bare.deploy(prepared)


async def _giving(bare: Bare, places: asyncio.Semaphore, prepared: Prepared) -> Steps:
    async with places:
        called = await bare.start(prepared)
    return called | await bare.wait_healthy(prepared)


def _medians(measured: list[Steps]) -> Steps:
    return {name: median(one[name] for one in measured) for name in measured[0]}
