"""Parse the answers of an agent's gateway. The agent is hostile: whatever it sends becomes a bounded value or raises Unavailable.

Text that people see is cut to a few printable characters.
"""

import json
from dataclasses import dataclass
from typing import Any

from zcplatform.errors import NotFound, Unavailable

MOST_COMPONENTS = 256
MOST_ROWS = 512
"""The most channels or devices that are read of one agent."""
_MOST_RESTARTS = 2**31
_LONGEST_ERROR = 300


@dataclass(frozen=True)
class Component:
    name: str
    status: str
    restarts: int


@dataclass(frozen=True)
class Health:
    """The agent's report about itself, or why there is none. `is_ok` alone proves nothing: a component that keeps restarting reports ok now and then."""

    is_ok: bool
    is_paired: bool = False
    requires_pairing: bool = False
    components: tuple[Component, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Channel:
    """The agent's report about one channel. `is_ready` is None if it does not report whether it listens. `error` is in the agent's words."""

    name: str
    kind: str
    is_compiled: bool
    is_enabled: bool
    is_ready: bool | None
    status: str
    restarts: int
    error: str | None
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Device:
    """A holder of a token, as the agent reports it. `is_legacy`: the agent found the token in its file and knows nothing else about it."""

    id: str
    name: str | None
    kind: str | None
    address: str | None
    paired_at: str | None
    last_seen_at: str | None
    is_legacy: bool


@dataclass(frozen=True)
class Said:
    text: str
    model: str


def parse_json(body: bytes, status: int) -> Any:
    """Parse an answer. Errors of the agent may be plain text; only a successful answer must be JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        if status == 200:
            raise nonsense("the agent's answer is not JSON") from None
        return None


def health(body: Any) -> Health:
    if not isinstance(body, dict) or not isinstance(body.get("status"), str):
        return Health(False, error="the agent's answer to /health has an unknown form")
    runtime = body.get("runtime")
    rows = runtime.get("components") if isinstance(runtime, dict) else None
    if not isinstance(rows, dict) or len(rows) > MOST_COMPONENTS:
        return Health(False, error="the agent's answer to /health lists no components")
    components = tuple(_component(str(name), row) for name, row in sorted(rows.items()))
    return Health(
        is_ok=body["status"] == "ok",
        is_paired=body.get("paired") is True,
        requires_pairing=body.get("require_pairing") is True,
        components=components,
        error="" if body["status"] == "ok" else f"the agent reports {plain(body['status'])}",
    )


def _component(name: str, row: Any) -> Component:
    status = row.get("status") if isinstance(row, dict) else None
    restarts = row.get("restart_count") if isinstance(row, dict) else None
    return Component(
        plain(name),
        plain(status) if isinstance(status, str) else "unknown",
        min(restarts, _MOST_RESTARTS) if type(restarts) is int and restarts >= 0 else 0,
    )


def is_device_id(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def no_device(device_id: str) -> NotFound:
    return NotFound("device.unknown", f"There is no device `{plain(device_id)}`", "List the devices again")


def rows(status: int, body: Any, name: str) -> list[dict[str, Any]]:
    rows = body.get(name) if status == 200 and isinstance(body, dict) else None
    if not isinstance(rows, list) or len(rows) > MOST_ROWS or not all(isinstance(row, dict) for row in rows):
        raise nonsense(f"the agent does not list its {name} (status {status})")
    return rows


def channel(row: dict[str, Any], components: dict[str, Any]) -> Channel:
    """Return a channel's state. The component's own state takes precedence over the listing's, which exists for a few types only."""
    readiness = row.get("readiness")
    readiness = readiness if isinstance(readiness, dict) else {}
    requirements = readiness.get("requirements")
    found = components.get(f"channel:{row.get('name')}")
    component = _component("", found)
    error = found.get("last_error") if isinstance(found, dict) else None
    return Channel(
        name=plain(str(row.get("name", ""))),
        kind=plain(str(row.get("type", ""))),
        is_compiled=row.get("compiled") is True,
        is_enabled=row.get("enabled") is True,
        is_ready={"ok": True, "error": False}.get(component.status, {"ready": True, "missing": False}.get(str(readiness.get("listening")))),
        status=component.status if isinstance(found, dict) else plain(str(row.get("status", ""))),
        restarts=component.restarts,
        error=plain(error, _LONGEST_ERROR) if isinstance(error, str) else None,
        requirements=tuple(plain(str(line), _LONGEST_ERROR) for line in requirements[:16]) if isinstance(requirements, list) else (),
    )


def device(row: dict[str, Any]) -> Device:
    texts = {key: plain(row[key]) if isinstance(row.get(key), str) else None for key in ("id", "name", "device_type", "ip_address")}
    times = {key: plain(row[key]) if isinstance(row.get(key), str) else None for key in ("paired_at", "last_seen")}
    return Device(
        id=texts["id"] or "",
        name=texts["name"],
        kind=texts["device_type"],
        address=texts["ip_address"],
        paired_at=times["paired_at"],
        last_seen_at=times["last_seen"],
        is_legacy=texts["device_type"] == "legacy" and texts["name"] is None and texts["ip_address"] is None,
    )


def plain(text: str, longest: int = 64) -> str:
    """Return the text short and printable: it is shown to people and stored in rows."""
    return "".join(character if character.isprintable() else "?" for character in text[:longest])


def nonsense(sentence: str) -> Unavailable:
    return Unavailable("agent.bad_answer", sentence, "Read the agent's log", retry_after_s=5)
