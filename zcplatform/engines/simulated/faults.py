"""Faults that a simulated place makes on request: once, at the next call of some method.

Every method that acts is wrapped by `call`. A false answer is the same everywhere: it reports success, and nothing was done.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import wraps
from typing import Any, NoReturn, Protocol, TypeVar, cast

from zcplatform.engines.protocol import EngineUnreachable


class Fault(StrEnum):
    SILENT = "silent"
    """No answer; nothing was done."""
    LOST = "lost"
    """It was done, and the answer was lost."""
    LIE = "lie"
    """Success is reported; nothing was done."""
    SLOW = "slow"
    """The call takes a minute."""
    DIE_BEFORE = "die_before"
    """The worker is killed before anything was done."""
    DIE_AFTER = "die_after"
    """The worker is killed after it was done."""


SLOW_S = 60.0


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the platform catches it."""


class Faults:
    """Armed faults by method; `""` means any method. `calls` are the names of all calls so far."""

    def __init__(self) -> None:
        self._armed: dict[str, list[Fault]] = {}
        self._armed_at: dict[int, Fault] = {}
        self.calls: list[str] = []
        self.is_silent = False
        """Whether the engine is down, until a test starts it."""
        self.on_kill: Callable[[], None] = lambda: None

    def kill(self) -> NoReturn:
        self.on_kill()
        raise Killed

    def arm(self, fault: Fault, method: str = "") -> None:
        self._armed.setdefault(method, []).append(fault)

    def arm_in(self, calls: int, fault: Fault) -> None:
        """Arm a fault for the call after `calls` further ones."""
        self._armed_at[len(self.calls) + calls] = fault

    def clear(self) -> None:
        self._armed.clear()
        self._armed_at.clear()
        self.is_silent = False

    def next(self, method: str) -> Fault | None:
        number = len(self.calls)
        self.calls.append(method)
        if self.is_silent:
            return Fault.SILENT
        if number in self._armed_at:
            return self._armed_at.pop(number)
        for name in (method, ""):
            if self._armed.get(name):
                return self._armed[name].pop(0)
        return None


class HasFaults(Protocol):
    faults: Faults


F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def call(false_answer: object = None) -> Callable[[F], F]:
    """Wrap a method of a place. `false_answer` is the return value of a false answer."""

    def wrap(function: F) -> F:
        @wraps(function)
        async def wrapped(self: HasFaults, *arguments: Any, **named: Any) -> Any:
            fault = self.faults.next(function.__name__)
            match fault:
                case Fault.SILENT:
                    raise EngineUnreachable("The simulated engine does not answer", "Start it again")
                case Fault.DIE_BEFORE:
                    self.faults.kill()
                case Fault.LIE:
                    return false_answer
                case Fault.SLOW:
                    await asyncio.sleep(SLOW_S)
            result = await function(self, *arguments, **named)
            if fault is Fault.DIE_AFTER:
                self.faults.kill()
            if fault is Fault.LOST:
                raise EngineUnreachable("The simulated engine broke off its answer", "Look again")
            return result

        return cast("F", wrapped)

    return wrap
