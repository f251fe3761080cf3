"""One deploy, from the request to the state `running`, against the engine's bare work for the same container."""

import time
from dataclasses import dataclass, field
from statistics import median

from bench.figures import Report, figure, ratio
from bench.rig import Rig

PAIRS, QUICK_PAIRS = 15, 3
TARGET = 1.3


@dataclass
class Taken:
    """Seconds of each repetition, in all and by step."""

    total: list[float] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)


async def measure(rig: Rig, *, quick: bool) -> Report:
    """In turn: a deploy, the bare container, and the bare container with the variables that pin a tenant's agent to its plan."""
    deploy, bare, pinned = Taken(), Taken(), Taken()
    # The first of each warms the caches and is not counted.
    for number in range(1 + (QUICK_PAIRS if quick else PAIRS)):
        pins = await _deploy(rig, f"one{number}", deploy)
        await _start_bare(rig, f"one{number}", 2 * number, (), bare)
        await _start_bare(rig, f"one{number}", 2 * number + 1, pins, pinned)
    deploy, bare, pinned = (Taken(taken.total[1:], taken.steps[1:]) for taken in (deploy, bare, pinned))
    agent = "the real agent" if rig.platform.agent else "the demo agent"
    return Report(
        f"deploy: one tenant against the bare container ({agent})",
        [
            ratio("deploy / bare", deploy.total, bare.total, TARGET),
            figure("deploy / bare with pins", "×", (one / other for one, other in zip(deploy.total, pinned.total, strict=True))),
            figure("deploy", "s", deploy.total),
            figure("bare", "s", bare.total),
            figure("bare with pins", "s", pinned.total),
            figure("deploy - bare", "s", (one - other for one, other in zip(deploy.total, bare.total, strict=True))),
        ],
        {
            "deploy, by step": _medians(deploy.steps),
            "bare, by call": _medians(bare.steps),
            "bare with pins, by call": _medians(pinned.steps),
        },
    )


async def _deploy(rig: Rig, slug: str, taken: Taken) -> tuple[str, ...]:
    """One deploy; returns the variables its container has."""
    await rig.api.create([slug])
    started = time.perf_counter()
    operation = await rig.api.deploy(slug)
    taken.total.append(time.perf_counter() - started)
    taken.steps.append(await rig.api.step_times(operation))
    pins = rig.bare.pins_of(slug)
    await rig.api.delete_all([slug])
    return pins


async def _start_bare(rig: Rig, slug: str, number: int, pins: tuple[str, ...], taken: Taken) -> None:
    prepared = rig.bare.prepare(slug, number, pins)
    steps = await rig.bare.deploy(prepared)
    await rig.bare.remove(prepared)
    taken.total.append(sum(steps.values()))
    taken.steps.append(steps)


def _medians(measured: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(one[name] for one in measured) for name in measured[0]}
