"""The firewall loop: puts the installation's rules in place before the first container starts, and restores them if they are removed.

The engine's own rules belong to the engine. Without them, agents run but cannot be reached through their published ports and cannot reach the internet: this loop
reports it, and until they are back, nothing is started or replaced, and no agent is restarted because it does not answer.
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
    """`stands`: whether the rules were in place at the last check; no container is started while it is False. `has_bridges`: whether the engine has networks of ours.

    If the kernel numbers the changes of its rules, the rules are checked when that number has changed, and now and then in any case.
    """

    def __init__(self, rules: Rules, period_s: float, has_bridges: Callable[[], bool] = lambda: False) -> None:
        self.loop = Loop("firewall", period_s, self._round)
        self.stands = False
        self.engine_rules_gone = False
        """The engine's rules are gone: agents may be healthy, but their ports lead nowhere until the engine is restarted."""
        self._rules = rules
        self._has_bridges = has_bridges
        self._seen: tuple[int, float] | None = None
        """The kernel's number at which the rules were last seen in place, and the time."""
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
        """Check the rules and apply what is missing. Raises StepFailed if they cannot be put in place or the engine's are gone."""
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
                "The engine's own firewall rules are gone: agents cannot be reached and have no access to the internet",
                "Restart the engine (systemctl restart docker). Agents keep running if live-restore is on",
            )
