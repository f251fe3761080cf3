"""The firewall loop: our constant rules are in place before the first container starts, and are restored when someone removes them.

The engine's own rules belong to the engine. When they are gone, published ports do not lead to agents and agents have no way out, although they run: this loop
says so, and while it does nothing is started, replaced or judged by its silence.
"""

import asyncio
from collections.abc import Callable

from zcplatform.adapters import firewall, host
from zcplatform.core import engine_rules
from zcplatform.core.firewall import Rules
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.log import logger
from zcplatform.worker.loop import Loop

LOOK_EVERY_S = 300.0


class FirewallLoop:
    """`stands`: outcome of the last look; no container is started while it is False. `has_bridges`: whether the engine has networks of ours.

    Where the kernel numbers the changes of its rules, a look is due when the number has changed, and now and then all the same.
    """

    def __init__(self, rules: Rules, period_s: float, has_bridges: Callable[[], bool] = lambda: False) -> None:
        self.loop = Loop("firewall", period_s, self._round)
        self.stands = False
        self.engine_rules_gone = False
        """Agents may be well, but their ports lead nowhere until the engine is restarted."""
        self._rules = rules
        self._has_bridges = has_bridges
        self._seen: tuple[int, float] | None = None
        """The number under which the rules were seen in place, and when."""
        self._counts: bool | None = None

    async def _round(self) -> None:
        await self.ensure()
        if self._has_bridges() and not host.forwards():
            raise StepFailed(
                "host.no_forwarding",
                "This host does not forward packets (net.ipv4.ip_forward is 0): agents cannot reach the internet",
                "sysctl -w net.ipv4.ip_forward=1",
            )

    async def ensure(self) -> None:
        """Look, and apply what is missing. Raises StepFailed if the rules cannot be put in place or the engine's are gone."""
        number, now = firewall.generation(), asyncio.get_running_loop().time()
        if self.stands and self._seen is not None and self._seen[0] == number and now - self._seen[1] < LOOK_EVERY_S:
            return
        try:
            if not await firewall.standing(self._rules):
                await firewall.apply(self._rules)
                logger.info("firewall rules applied")
            if self._counts is None:
                self._counts = await firewall.counts_generations(self._rules)
            await self._require_engine_rules()
            self._seen = (number, now) if self._counts and number is not None else None
        except PlatformError:
            self.stands, self._seen = False, None
            raise
        self.stands = True

    async def _require_engine_rules(self) -> None:
        self.engine_rules_gone = self._has_bridges() and not engine_rules.exist(await firewall.nat_listing())
        if self.engine_rules_gone:
            raise StepFailed(
                "engine.rules_gone",
                "The engine's own firewall rules are gone: ports do not lead to agents, and agents have no way out",
                "Restart the engine (systemctl restart docker); with live-restore agents survive it",
            )
