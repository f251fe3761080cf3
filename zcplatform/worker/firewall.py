"""The firewall's loop: the constant rules stand before the first container starts, and are put back when somebody takes them away."""

import asyncio

from zcplatform.adapters import firewall
from zcplatform.core.firewall import Rules
from zcplatform.errors import PlatformError
from zcplatform.log import logger


class FirewallLoop:
    """`stands` is what the last look said; no container is started while it is False."""

    def __init__(self, rules: Rules, period_s: float) -> None:
        self.stands = False
        self._rules = rules
        self._period_s = period_s

    async def ensure(self) -> None:
        """Look, and apply where something is missing. Raises StepFailed when the rules can not be made to stand."""
        try:
            if not await firewall.standing(self._rules):
                await firewall.apply(self._rules)
                logger.info("firewall rules applied")
        except PlatformError:
            self.stands = False
            raise
        self.stands = True

    async def run(self) -> None:
        while True:
            try:
                await self.ensure()
            except PlatformError as error:
                logger.error("firewall rules do not stand", error=error.detail, hint=error.hint)
            await asyncio.sleep(self._period_s)
