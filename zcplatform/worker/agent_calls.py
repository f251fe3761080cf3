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
from zcplatform.worker.configuration.readback import forget_paired_devices, keep_saved, read_saved
from zcplatform.worker.deps import Deps
from zcplatform.worker.live_requests import ConcurrencyLimit, load_tenant, require_text
from zcplatform.worker.platform_bearer import Wake, repair_token, with_bearer
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

PAIRING_LIVES = timedelta(minutes=10)
LONGEST_MESSAGE = 8_000
Answers = AsyncGenerator[dict[str, Any]]


class AgentCalls:
    def __init__(self, deps: Deps, wake: Wake) -> None:
        self._deps = deps
        self._wake = wake
        self._messages = ConcurrencyLimit(each=2, altogether=64)

    async def pairing_code(self, request: dict[str, Any]) -> Answers:
        """A fresh code. It passes through and is kept nowhere."""
        snapshot = load_tenant(self._deps, request)
        gateway = self._deps.gateway
        code = await with_bearer(self._deps, snapshot, self._wake, lambda bearer: gateway.initiate_pairing(snapshot.port, bearer))
        yield {"code": code, "expires_at": clock.text(clock.now() + PAIRING_LIVES)}

    async def message(self, request: dict[str, Any]) -> Answers:
        snapshot, text = load_tenant(self._deps, request), require_text(request, "text", LONGEST_MESSAGE)
        gateway = self._deps.gateway
        with self._messages.taken(snapshot.tenant.id):
            said = await with_bearer(self._deps, snapshot, self._wake, lambda bearer: gateway.say(snapshot.port, bearer, text))
        yield asdict(said)

    async def channels(self, request: dict[str, Any]) -> Answers:
        snapshot = load_tenant(self._deps, request)
        gateway = self._deps.gateway
        found = await with_bearer(self._deps, snapshot, self._wake, lambda bearer: gateway.channels(snapshot.port, bearer))
        known = self._deps.database.read(lambda tx: self._deps.secrets.values(tx, snapshot.tenant.id))
        yield {"channels": [asdict(_without(channel, known)) for channel in found]}

    async def devices(self, request: dict[str, Any]) -> Answers:
        snapshot = load_tenant(self._deps, request)
        found = await self._devices(snapshot)
        own = _own(found)
        yield {"devices": [{**asdict(device), "is_platform": device is own} for device in found]}

    async def revoke(self, request: dict[str, Any]) -> Answers:
        """One device. What the agent then has in its file is read at once: a host that restarts now must not let the device in again."""
        snapshot, device_id = load_tenant(self._deps, request), require_text(request, "device_id", 64)
        own = _own(await self._devices(snapshot))
        if own is not None and own.id == device_id:
            raise Conflict(
                "device.platform",
                f"This is how the platform itself talks to the agent of `{snapshot.tenant.slug}`",
                "choose another device",
            )
        gateway = self._deps.gateway
        await with_bearer(self._deps, snapshot, self._wake, lambda bearer: gateway.revoke(snapshot.port, bearer, device_id))
        await self._read_back(snapshot)
        yield {"ok": True}

    async def reset(self, request: dict[str, Any]) -> Answers:
        """Every device. Those the agent does not let go of are forgotten by rendering its file without them."""
        snapshot = load_tenant(self._deps, request)
        if snapshot.tenant.wanted == Wanted.RUNNING:
            found = await self._devices(snapshot)
            for device in [device for device in found if not device.is_legacy]:
                await self._revoke_if_there(snapshot, device.id)
            await self._read_back(snapshot)
        remained = await forget_paired_devices(self._deps, snapshot)
        if remained and snapshot.tenant.wanted == Wanted.RUNNING:
            await repair_token(self._deps, snapshot, self._wake, "its devices were reset")
        yield {"restarts": remained}

    async def _devices(self, snapshot: TenantSnapshot) -> tuple[Device, ...]:
        gateway = self._deps.gateway
        return await with_bearer(self._deps, snapshot, self._wake, lambda bearer: gateway.devices(snapshot.port, bearer))

    async def _revoke_if_there(self, snapshot: TenantSnapshot, device_id: str) -> None:
        gateway = self._deps.gateway
        try:
            await with_bearer(self._deps, snapshot, self._wake, lambda bearer: gateway.revoke(snapshot.port, bearer, device_id))
        except NotFound:
            return

    async def _read_back(self, snapshot: TenantSnapshot) -> None:
        if not await keep_saved(self._deps, snapshot, await read_saved(self._deps, snapshot)):
            await repair_token(self._deps, snapshot, self._wake, "the platform's token is gone from the agent's file")


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
