"""What is asked of a running agent for people: a pairing code, its devices, its channels' health, an answer to a message.

Codes, messages and answers pass through; nothing of them is kept or logged.
"""

from collections.abc import AsyncGenerator
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from zcplatform import clock
from zcplatform.adapters.gateway import Channel, Device
from zcplatform.core.tenant import Wanted
from zcplatform.errors import Conflict, NotFound
from zcplatform.worker.case import Case
from zcplatform.worker.live_requests import ConcurrencyLimit, load_tenant, require_text
from zcplatform.worker.platform_bearer import Wake, repair_token, with_bearer
from zcplatform.worker.readback import forget_paired, keep, saved
from zcplatform.worker.tools import Tools

PAIRING_LIVES = timedelta(minutes=10)
LONGEST_MESSAGE = 8_000
Answers = AsyncGenerator[dict[str, Any]]


class AgentCalls:
    def __init__(self, tools: Tools, wake: Wake) -> None:
        self._tools = tools
        self._wake = wake
        self._messages = ConcurrencyLimit(each=2, altogether=16)

    async def pairing_code(self, request: dict[str, Any]) -> Answers:
        """A fresh code. It passes through and is kept nowhere."""
        case = load_tenant(self._tools, request)
        gateway = self._tools.gateway
        code = await with_bearer(self._tools, case, self._wake, lambda bearer: gateway.initiate_pairing(case.port, bearer))
        yield {"code": code, "expires_at": clock.text(clock.now() + PAIRING_LIVES)}

    async def message(self, request: dict[str, Any]) -> Answers:
        case, text = load_tenant(self._tools, request), require_text(request, "text", LONGEST_MESSAGE)
        gateway = self._tools.gateway
        with self._messages.taken(case.tenant.id):
            said = await with_bearer(self._tools, case, self._wake, lambda bearer: gateway.say(case.port, bearer, text))
        yield asdict(said)

    async def channels(self, request: dict[str, Any]) -> Answers:
        case = load_tenant(self._tools, request)
        gateway = self._tools.gateway
        found = await with_bearer(self._tools, case, self._wake, lambda bearer: gateway.channels(case.port, bearer))
        known = self._tools.database.read(lambda tx: self._tools.secrets.values(tx, case.tenant.id))
        yield {"channels": [asdict(_without(channel, known)) for channel in found]}

    async def devices(self, request: dict[str, Any]) -> Answers:
        case = load_tenant(self._tools, request)
        found = await self._devices(case)
        own = _own(found)
        yield {"devices": [{**asdict(device), "is_platform": device is own} for device in found]}

    async def revoke(self, request: dict[str, Any]) -> Answers:
        """One device. What the agent then has in its file is read at once: a host that restarts now must not let the device in again."""
        case, device_id = load_tenant(self._tools, request), require_text(request, "device_id", 64)
        own = _own(await self._devices(case))
        if own is not None and own.id == device_id:
            raise Conflict(
                "device.platform", f"This is how the platform itself talks to the agent of `{case.tenant.slug}`", "choose another device"
            )
        gateway = self._tools.gateway
        await with_bearer(self._tools, case, self._wake, lambda bearer: gateway.revoke(case.port, bearer, device_id))
        await self._read_back(case)
        yield {"ok": True}

    async def reset(self, request: dict[str, Any]) -> Answers:
        """Every device. Those the agent does not let go of are forgotten by rendering its file without them."""
        case = load_tenant(self._tools, request)
        if case.tenant.wanted == Wanted.RUNNING:
            found = await self._devices(case)
            for device in [device for device in found if not device.is_legacy]:
                await self._revoke_if_there(case, device.id)
            await self._read_back(case)
        remained = await forget_paired(self._tools, case)
        if remained and case.tenant.wanted == Wanted.RUNNING:
            await repair_token(self._tools, case, self._wake, "its devices were reset")
        yield {"restarts": remained}

    async def _devices(self, case: Case) -> tuple[Device, ...]:
        gateway = self._tools.gateway
        return await with_bearer(self._tools, case, self._wake, lambda bearer: gateway.devices(case.port, bearer))

    async def _revoke_if_there(self, case: Case, device_id: str) -> None:
        gateway = self._tools.gateway
        try:
            await with_bearer(self._tools, case, self._wake, lambda bearer: gateway.revoke(case.port, bearer, device_id))
        except NotFound:
            return

    async def _read_back(self, case: Case) -> None:
        if not await keep(self._tools, case, await saved(self._tools, case)):
            await repair_token(self._tools, case, self._wake, "the platform's token is gone from the agent's file")


def _own(devices: tuple[Device, ...]) -> Device | None:
    """The platform's entry, when there is no doubt: the only token that the agent found in its file without having paired it."""
    legacy = [device for device in devices if device.is_legacy]
    return legacy[0] if len(legacy) == 1 else None


def _without(channel: Channel, known: tuple[str, ...]) -> Channel:
    """An error text may hold what the agent sent; never a secret of this tenant."""
    if channel.error is None:
        return channel
    error = channel.error
    for value in known:
        error = error.replace(value, "…")
    return replace(channel, error=error)
