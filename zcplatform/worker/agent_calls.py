"""Call a running agent on behalf of people: pairing codes, devices, channel health, messages.

Codes, messages and answers are never stored or logged. Everything that an agent answers is redacted of the tenant's secrets, and
stripped of characters that UTF-8 cannot encode.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, TypeVar

from zcplatform import clock
from zcplatform.adapters.gateway import Gateway
from zcplatform.agent.gateway_answers import Device
from zcplatform.core.redaction import redacted_json
from zcplatform.core.tenant import Wanted
from zcplatform.engines.seen import Address
from zcplatform.errors import Conflict, NotFound, PlatformError
from zcplatform.log import logger
from zcplatform.worker.configuration.readback import forget_paired_devices, keep_saved, read_saved
from zcplatform.worker.deps import Deps
from zcplatform.worker.live_requests import ConcurrencyLimit, load_tenant, require_text
from zcplatform.worker.platform_bearer import Wake, repair_token, with_bearer
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

PAIRING_LIVES = timedelta(minutes=10)
LONGEST_MESSAGE = 8_000
Answers = AsyncGenerator[dict[str, Any]]
T = TypeVar("T")


class AgentCalls:
    def __init__(self, deps: Deps, wake: Wake) -> None:
        self._deps = deps
        self._wake = wake
        self._messages = ConcurrencyLimit(each=2, altogether=64)

    async def pairing_code(self, request: dict[str, Any]) -> Answers:
        """Create a pairing code. The previous one becomes invalid."""
        snapshot = load_tenant(self._deps, request)
        code = await self._call(snapshot, lambda gateway, at, bearer: gateway.initiate_pairing(at, bearer))
        yield {"code": code, "expires_at": clock.text(clock.now() + PAIRING_LIVES)}

    async def message(self, request: dict[str, Any]) -> Answers:
        snapshot, text = load_tenant(self._deps, request), require_text(request, "text", LONGEST_MESSAGE)
        with self._messages.taken(snapshot.tenant.id):
            said = await self._call(snapshot, lambda gateway, at, bearer: gateway.say(at, bearer, text))
        yield redacted_json(self._deps.redactor(snapshot.tenant.id), asdict(said))

    async def channels(self, request: dict[str, Any]) -> Answers:
        snapshot = load_tenant(self._deps, request)
        found = await self._call(snapshot, lambda gateway, at, bearer: gateway.channels(at, bearer))
        yield redacted_json(self._deps.redactor(snapshot.tenant.id), {"channels": [asdict(channel) for channel in found]})

    async def devices(self, request: dict[str, Any]) -> Answers:
        snapshot = load_tenant(self._deps, request)
        found = await self._devices(snapshot)
        own = _own(found)
        devices = [{**asdict(device), "is_platform": device is own} for device in found]
        yield redacted_json(self._deps.redactor(snapshot.tenant.id), {"devices": devices})

    async def revoke(self, request: dict[str, Any]) -> Answers:
        """Revoke one device, and read the agent's file back at once: if the host restarts now, the device must not be admitted again."""
        snapshot, device_id = load_tenant(self._deps, request), require_text(request, "device_id", 64)
        own = _own(await self._devices(snapshot))
        if own is not None and own.id == device_id:
            raise Conflict(
                "device.platform",
                f"The platform itself uses this device to call the agent of `{snapshot.tenant.slug}`",
                "Choose another device",
            )
        await self._call(snapshot, lambda gateway, at, bearer: gateway.revoke(at, bearer, device_id))
        await self._read_back(snapshot)
        yield {"ok": True}

    async def reset(self, request: dict[str, Any]) -> Answers:
        """Revoke every device. Those that the agent does not revoke are removed by rendering its file without them."""
        snapshot = load_tenant(self._deps, request)
        answered = True
        if snapshot.tenant.effective_wanted == Wanted.RUNNING:
            answered = await self._revoke_all(snapshot)
            await self._read_back(snapshot)
        remained = await forget_paired_devices(self._deps, snapshot) or not answered
        if remained and snapshot.tenant.effective_wanted == Wanted.RUNNING:
            await repair_token(self._deps, snapshot, self._wake, "its devices were reset")
        yield {"restarts": remained}

    async def _call(self, snapshot: TenantSnapshot, call: Callable[[Gateway, Address, str], Awaitable[T]]) -> T:
        return await with_bearer(self._deps, snapshot, self._wake, lambda at, bearer: call(self._deps.gateway, at, bearer))

    async def _revoke_all(self, snapshot: TenantSnapshot) -> bool:
        """Revoke devices at the agent. False if it does not do so: then only a restart with a file without them removes their access."""
        try:
            found = await self._devices(snapshot)
            for device in [device for device in found if not device.is_legacy]:
                await self._revoke_if_there(snapshot, device.id)
        except PlatformError as error:
            logger.warning(
                "an agent did not revoke its devices; its file is rendered without them", tenant=snapshot.tenant.id, error=error.detail
            )
            return False
        return True

    async def _devices(self, snapshot: TenantSnapshot) -> tuple[Device, ...]:
        return await self._call(snapshot, lambda gateway, at, bearer: gateway.devices(at, bearer))

    async def _revoke_if_there(self, snapshot: TenantSnapshot, device_id: str) -> None:
        try:
            await self._call(snapshot, lambda gateway, at, bearer: gateway.revoke(at, bearer, device_id))
        except NotFound:
            return

    async def _read_back(self, snapshot: TenantSnapshot) -> None:
        if not await keep_saved(self._deps, snapshot, await read_saved(self._deps, snapshot)):
            await repair_token(self._deps, snapshot, self._wake, "the platform's token is missing from the agent's file")


def _own(devices: tuple[Device, ...]) -> Device | None:
    """Return the platform's own entry if it is unambiguous: the only token that the agent found in its file and did not pair."""
    legacy = [device for device in devices if device.is_legacy]
    return legacy[0] if len(legacy) == 1 else None
