"""Stop the worker on SIGTERM and SIGINT, even if its event loop hangs.

The handlers of asyncio run in the event loop, so a loop that is stuck in one call would ignore them forever. Here the signal is passed
through a pipe to a separate thread, which requests the event loop to stop and ends the process if that takes too long.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable

STOPPING = (signal.SIGTERM, signal.SIGINT)


def stop_on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None], limit_s: float) -> None:
    """Call `stop` in the loop on the first signal; end the process `limit_s` later if it is still there. Call from the main thread."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    for number in STOPPING:
        signal.signal(number, _ignore)
    threading.Thread(target=_watch, args=(reads, loop, stop, limit_s), name="signals", daemon=True).start()


def _ignore(*_: object) -> None:
    """Do nothing: the wake-up pipe does the work. Without a handler, the kernel would end the process at once."""


def _watch(reads: int, loop: asyncio.AbstractEventLoop, stop: Callable[[], None], limit_s: float) -> None:
    while not set(os.read(reads, 64)) & set(STOPPING):
        pass
    loop.call_soon_threadsafe(stop)
    threading.Event().wait(limit_s)
    sys.stderr.write('{"level": "error", "process": "worker", "event": "the worker did not stop in time and is ended"}\n')
    os._exit(1)
