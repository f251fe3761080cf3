"""A signal stops the worker, also when its event loop hangs in one call."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys, threading
from zcplatform.worker.signals import stop_on_signals

async def main():
    stop = asyncio.Event()
    stop_on_signals(asyncio.get_running_loop(), stop.set, 0.2)
    print("ready", flush=True)
    if sys.argv[1] == "hangs":
        threading.Event().wait()
    await stop.wait()
    print("stopped", flush=True)

asyncio.run(main())
"""


def _run(kind: str, number: signal.Signals) -> tuple[int, str]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM, kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        rest, _ = process.communicate(timeout=20)
    return process.returncode, rest


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_an_idle_loop(number: signal.Signals) -> None:
    assert _run("waits", number) == (0, "stopped\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_loop_that_hangs_is_ended(number: signal.Signals) -> None:
    assert _run("hangs", number) == (1, "")
