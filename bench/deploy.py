"""One deploy, from the request to the state `running`, against the engine's bare work for the same container."""

import time
from statistics import median

from bench.figures import Report, figure, ratio
from bench.rig import Rig

PAIRS, QUICK_PAIRS = 15, 3
TARGET = 1.3


async def measure(rig: Rig, *, quick: bool) -> Report:
    ours: list[float] = []
    theirs: list[float] = []
    our_steps: list[dict[str, float]] = []
    their_steps: list[dict[str, float]] = []
    # The first of each warms the caches and is not counted.
    for number in range(1 + (QUICK_PAIRS if quick else PAIRS)):
        slug = f"one{number}"
        await rig.api.create([slug])
        started = time.perf_counter()
        operation = await rig.api.deploy(slug)
        taken = time.perf_counter() - started
        steps = await rig.api.step_times(operation)
        await rig.api.delete_all([slug])
        prepared = rig.bare.prepare(slug, number)
        bare_steps = await rig.bare.deploy(prepared)
        await rig.bare.remove(prepared)
        if number:
            ours.append(taken)
            theirs.append(sum(bare_steps.values()))
            our_steps.append(steps)
            their_steps.append(bare_steps)
    return Report(
        "deploy: one tenant against the bare container",
        [
            ratio("deploy / bare", ours, theirs, TARGET),
            figure("deploy", "s", ours),
            figure("bare", "s", theirs),
            figure("deploy - bare", "s", (one - other for one, other in zip(ours, theirs, strict=True))),
        ],
        {"deploy, by step": _medians(our_steps), "bare, by call": _medians(their_steps)},
    )


def _medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(one[name] for one in measured) for name in measured[0]}
