"""Waiting for something outside, with an end and a sentence. The pause is between two looks, never instead of one."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable

PAUSE_S = 0.05


def wait_until(holds: Callable[[], bool], limit_s: float, what: str) -> None:
    end = time.monotonic() + limit_s
    pause = threading.Event()
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {limit_s} s: {what}")
        pause.wait(PAUSE_S)


async def until(holds: Callable[[], Awaitable[bool]], limit_s: float, what: str) -> None:
    """The same for a condition that is awaited."""
    try:
        async with asyncio.timeout(limit_s):
            while not await holds():
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        raise TimeoutError(f"not within {limit_s} s: {what}") from None
