"""The firewall's loop: the constant rules stand before the first container starts, and are put back when somebody takes them away."""

import asyncio

from zcplatform.adapters import firewall
from zcplatform.core.firewall import Rules
from zcplatform.errors import PlatformError
from zcplatform.log import logger
from zcplatform.worker.loop import Loop

LOOK_EVERY_S = 300.0


class FirewallLoop:
    """`stands` is what the last look said; no container is started while it is False.

    Where the kernel numbers the changes of its rules, a look is due when the number is another one, and now and then all the same.
    """

    def __init__(self, rules: Rules, period_s: float) -> None:
        self.loop = Loop("firewall", period_s, self.ensure)
        self.stands = False
        self._rules = rules
        self._seen: tuple[int, float] | None = None
        """The number under which the rules were seen to stand, and when."""
        self._counts: bool | None = None

    async def ensure(self) -> None:
        """Look, and apply where something is missing. Raises StepFailed when the rules can not be made to stand."""
        number, now = firewall.generation(), asyncio.get_running_loop().time()
        if self.stands and self._seen is not None and self._seen[0] == number and now - self._seen[1] < LOOK_EVERY_S:
            return
        try:
            if not await firewall.standing(self._rules):
                await firewall.apply(self._rules)
                logger.info("firewall rules applied")
            if self._counts is None:
                self._counts = await firewall.counts_generations(self._rules)
            self._seen = (number, now) if self._counts and number is not None else None
        except PlatformError:
            self.stands, self._seen = False, None
            raise
        self.stands = True
