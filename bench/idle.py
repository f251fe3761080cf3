"""What fifty running tenants cost when nobody asks for anything: memory, processor and wake-ups of the worker and the web process."""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Report, figure
from bench.rig import Rig

COUNT, QUICK_COUNT = 50, 10
WINDOWS, WINDOW_S = 3, 30
"""Each window holds one round of health checks and three looks at everything."""
MEMORY_TARGET_MB, CPU_TARGET = 100, 1


@dataclass(frozen=True)
class Spent:
    at: float
    ticks: int
    wakeups: int


async def measure(rig: Rig, *, quick: bool) -> Report:
    count = QUICK_COUNT if quick else COUNT
    slugs = [f"calm{number}" for number in range(count)]
    await rig.api.create(slugs)
    await rig.api.deploy_all(slugs)
    assert rig.platform.serve is not None
    pids = {"worker": rig.platform.serve.pid, "web": rig.platform.web_pid()}
    spent = {name: [_spent(pid)] for name, pid in pids.items()}
    for _ in range(1 if quick else WINDOWS):
        await asyncio.sleep(WINDOW_S)
        for name, pid in pids.items():
            spent[name].append(_spent(pid))
    memory = {name: _memory(pid) for name, pid in pids.items()}
    await rig.api.delete_all(slugs)
    return _report(count, memory, spent)


def _report(count: int, memory: dict[str, dict[str, float]], spent: dict[str, list[Spent]]) -> Report:
    figures = [figure("memory of both (PSS)", "MB", [sum(one["Pss"] for one in memory.values())], MEMORY_TARGET_MB)]
    figures += [figure(f"memory of {name} (PSS)", "MB", [one["Pss"]]) for name, one in memory.items()]
    figures += [figure(f"memory of {name} (private)", "MB", [one["Private"]]) for name, one in memory.items()]
    cpu = {name: _rates([one.ticks for one in each], each, 100 / os.sysconf("SC_CLK_TCK")) for name, each in spent.items()}
    wakeups = {name: _rates([one.wakeups for one in each], each, 1) for name, each in spent.items()}
    figures.append(figure("processor, both", "% of a core", map(sum, zip(*cpu.values(), strict=True)), CPU_TARGET))
    figures += [figure(f"processor, {name}", "% of a core", each) for name, each in cpu.items()]
    figures.append(figure("wake-ups, both", "1/s", map(sum, zip(*wakeups.values(), strict=True))))
    figures += [figure(f"wake-ups, {name}", "1/s", each) for name, each in wakeups.items()]
    return Report(f"idle: {count} tenants running, windows of {WINDOW_S} s", figures)


def _rates(counts: list[int], at: list[Spent], factor: float) -> list[float]:
    """What was added in each window, per second."""
    return [factor * (counts[later] - counts[later - 1]) / (at[later].at - at[later - 1].at) for later in range(1, len(counts))]


def _spent(pid: int) -> Spent:
    """Its own time and that of the programs it has run and waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = (int(value) for value in fields[11:15])
    wakeups = sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )
    return Spent(time.perf_counter(), user + system + children_user + children_system, wakeups)


def _memory(pid: int) -> dict[str, float]:
    """`Private` is what would be free again if it ended."""
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    mb = {fields[0].rstrip(":"): int(fields[1]) * 1024 / 1e6 for fields in lines}
    return {"Pss": mb["Pss"], "Private": mb["Private_Clean"] + mb["Private_Dirty"]}
