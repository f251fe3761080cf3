"""Fifty tenants asked for at once, of which the platform works on four at a time, against fifty bare containers four at a time."""

import asyncio
import time
from statistics import median

from bench.bare import Prepared
from bench.figures import Report, figure, ratio
from bench.rig import PARALLEL, Rig

COUNT, QUICK_COUNT = 50, 12
PAIRS, QUICK_PAIRS = 2, 1
TARGET = 1.15


async def measure(rig: Rig, *, quick: bool) -> Report:
    count = QUICK_COUNT if quick else COUNT
    ours: list[float] = []
    theirs: list[float] = []
    steps: list[dict[str, float]] = []
    bare_steps: list[dict[str, float]] = []
    for pair in range(QUICK_PAIRS if quick else PAIRS):
        slugs = [f"many{pair}n{number}" for number in range(count)]
        await rig.api.create(slugs)
        started = time.perf_counter()
        operations = await rig.api.deploy_all(slugs)
        ours.append(time.perf_counter() - started)
        steps += [await rig.api.step_times(operation) for operation in operations]
        await rig.api.delete_all(slugs)
        prepared = [rig.bare.prepare(slug, number) for number, slug in enumerate(slugs)]
        started = time.perf_counter()
        bare_steps += await _four_at_a_time(rig, prepared)
        theirs.append(time.perf_counter() - started)
        await asyncio.gather(*(rig.bare.remove(one) for one in prepared))
    return Report(
        f"many: {count} tenants, {PARALLEL} at a time, against {count} bare containers",
        [
            ratio("all deploys / all bare", ours, theirs, TARGET),
            figure("all deploys", "s", ours),
            figure("all bare", "s", theirs),
        ],
        {"deploy, by step (`asked` holds the wait for a place)": _medians(steps), "bare, by call": _medians(bare_steps)},
    )


async def _four_at_a_time(rig: Rig, prepared: list[Prepared]) -> list[dict[str, float]]:
    places = asyncio.Semaphore(PARALLEL)

    async def one(which: Prepared) -> dict[str, float]:
        async with places:
            return await rig.bare.deploy(which)

    return await asyncio.gather(*(one(which) for which in prepared))


def _medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(one[name] for one in measured) for name in measured[0]}
