"""Live requests of the web process to the worker: one frozen dataclass per verb. Both sides import this file, so they cannot differ.

A request is one JSON line with the verb and the fields of its class. Only types are checked here; the worker validates every value.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, get_type_hints


@dataclass(frozen=True)
class LiveMessage:
    verb: ClassVar[str]


@dataclass(frozen=True)
class Wake(LiveMessage):
    """Rows of this tenant changed (empty: something that belongs to no tenant). Only a hint, which may be lost."""

    verb = "wake"
    tenant_id: str = ""


@dataclass(frozen=True)
class Health(LiveMessage):
    """Returns the worker's metrics."""

    verb = "health"


@dataclass(frozen=True)
class Loops(LiveMessage):
    """Returns the status of each loop."""

    verb = "loops"


@dataclass(frozen=True)
class Logs(LiveMessage):
    """Returns lines of the agent's output, and continues with new ones if `follow`."""

    verb = "logs"
    tenant_id: str
    tail: int = 100
    since: str | None = None
    follow: bool = False
    timestamps: bool = False


@dataclass(frozen=True)
class PairingCode(LiveMessage):
    verb = "pairing_code"
    tenant_id: str


@dataclass(frozen=True)
class Devices(LiveMessage):
    verb = "devices"
    tenant_id: str


@dataclass(frozen=True)
class DeviceRevoke(LiveMessage):
    verb = "device_revoke"
    tenant_id: str
    device_id: str


@dataclass(frozen=True)
class DevicesReset(LiveMessage):
    verb = "devices_reset"
    tenant_id: str


@dataclass(frozen=True)
class Message(LiveMessage):
    verb = "message"
    tenant_id: str
    text: str


@dataclass(frozen=True)
class Channels(LiveMessage):
    verb = "channels"
    tenant_id: str


@dataclass(frozen=True)
class ProviderTest(LiveMessage):
    """Test the saved provider `alias` or, if `family` is set, the provider in this request, whose key is sealed in `box`."""

    verb = "provider_test"
    tenant_id: str
    alias: str
    family: str | None = None
    model: str | None = None
    base_url: str | None = None
    box: str | None = None


MESSAGES: Mapping[str, type[LiveMessage]] = {
    kind.verb: kind
    for kind in (Wake, Health, Loops, Logs, PairingCode, Devices, DeviceRevoke, DevicesReset, Message, Channels, ProviderTest)
}


def to_json(message: LiveMessage) -> dict[str, Any]:
    """Return the JSON object; fields without a value are left out."""
    return {"verb": message.verb} | {name: value for name, value in asdict(message).items() if value is not None}


def parse(request: Mapping[str, Any]) -> LiveMessage:
    """Return the message. Raises ValueError for an unknown verb, and for unknown, missing or wrongly typed fields."""
    given = dict(request)
    kind = MESSAGES.get(str(given.pop("verb", None)))
    if kind is None:
        raise ValueError("not a known verb")
    types = get_type_hints(kind)
    known = {field.name for field in fields(kind)}
    for name, value in given.items():
        wrong = name not in known or not isinstance(value, types[name]) or (isinstance(value, bool) and types[name] is int)
        if wrong:
            raise ValueError(f"`{name[:40]}` is not a field of {kind.verb}, or has another type")
    try:
        return kind(**given)
    except TypeError:
        raise ValueError(f"{kind.verb} lacks a field") from None
