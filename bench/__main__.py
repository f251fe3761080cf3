"""Measures what was named, prints a table for each, and takes everything away again. Started by scripts/bench, in a network of its own."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from bench import deploy, idle, latency, many
from bench.figures import Report, save, table
from bench.rig import installation, rig
from tests.live.platform import Platform

PROGRAMS = {"deploy": deploy.measure, "many": many.measure, "latency": latency.measure, "idle": idle.measure}
LIMIT_S = 900


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("programs", nargs="*", metavar="|".join(PROGRAMS))
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--quick", action="store_true", help="few repetitions: to see that it works, not for figures")
    asked = parser.parse_args()
    for name in asked.programs:
        if name not in PROGRAMS:
            parser.error(f"there is no `{name}`")
    if "ZCP_BENCH_INSTANCE" not in os.environ:
        parser.error("start it with scripts/bench")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    os.setsid()
    reports: list[Report] = []
    with installation() as platform:
        for name in asked.programs or PROGRAMS:
            reports.append(asyncio.run(_measure(platform, name, quick=asked.quick)))
            print(f"\n{table(reports[-1])}", flush=True)
    if asked.json:
        save(asked.json, reports)


async def _measure(platform: Platform, name: str, *, quick: bool) -> Report:
    async with asyncio.timeout(LIMIT_S), rig(platform) as made:
        return await PROGRAMS[name](made, quick=quick)


main()
