"""Speaks HTTP to a tenant's agent on 127.0.0.1. The agent is hostile: whatever it answers, the caller gets a value or Unavailable, in time.

Bounded: five seconds for the whole exchange (two minutes for a message), 64 KiB of body, 64 headers of 4 KiB; no redirects, proxies, cookies
or compression.
"""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from zcplatform.adapters import untrusted
from zcplatform.errors import Conflict, NotFound, Unavailable

TIMEOUT_S = 5.0
MESSAGE_S = 120.0
LONGEST_CODE = 256
MOST_COMPONENTS = 256
MOST_ROWS = 512
"""Channels or devices of one agent."""
UNPAIRED = "agent.refused_token"
_LONGEST_HEADER = 4_096
_MOST_HEADERS = 64
_MOST_RESTARTS = 2**31
_LONGEST_ERROR = 300


@dataclass(frozen=True)
class Component:
    name: str
    status: str
    restarts: int


@dataclass(frozen=True)
class Health:
    """What the agent says of itself, or why it said nothing. `is_ok` alone is no proof: a component that restarts alternates."""

    is_ok: bool
    is_paired: bool = False
    requires_pairing: bool = False
    components: tuple[Component, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Channel:
    """What the agent says of one channel. `is_ready` None: it does not say whether it listens. `error` is the agent's own words."""

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
    """Who holds a token, as the agent tells it. `is_legacy`: the agent found the token in its file and knows no more of it."""

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


class Gateway:
    """Owns its connections; use it with `async with` or close it."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def health(self, port: int, address: str = "127.0.0.1") -> Health:
        """Never raises for what the agent does; `error` is a sentence."""
        try:
            status, body = await self._exchange("GET", port, "/health", address=address)
            return _health(body) if status == 200 else Health(False, error=f"the agent answered /health with status {status}")
        except Unavailable as error:
            return Health(False, error=error.detail)

    async def initiate_pairing(self, port: int, bearer: str) -> str:
        """A new pairing code; the pending one ends. Raises Unavailable."""
        status, body = await self._ask("POST", port, "/api/pairing/initiate", bearer)
        code = body.get("pairing_code") if status == 200 and isinstance(body, dict) else None
        if not isinstance(code, str) or not 0 < len(code) <= LONGEST_CODE or not (code.isascii() and code.isalnum()):
            raise _nonsense(f"the agent gave no pairing code (status {status})")
        return code

    async def channels(self, port: int, bearer: str) -> tuple[Channel, ...]:
        """Every configured channel with the state of its component. Raises Unavailable."""
        status, body = await self._ask("GET", port, "/api/channels", bearer)
        rows = _rows(status, body, "channels")
        status, told = await self._ask("GET", port, "/api/health", bearer)
        health = told.get("health") if status == 200 and isinstance(told, dict) else None
        components = health.get("components") if isinstance(health, dict) else None
        return tuple(_channel(row, components if isinstance(components, dict) else {}) for row in rows)

    async def devices(self, port: int, bearer: str) -> tuple[Device, ...]:
        """Raises Unavailable."""
        return tuple(_device(row) for row in _rows(*await self._ask("GET", port, "/api/devices", bearer), "devices"))

    async def revoke(self, port: int, bearer: str, device_id: str) -> None:
        """The device's token is worth nothing from now on. Raises NotFound, Unavailable."""
        if not is_device_id(device_id):
            raise _no_device(device_id)
        status, _ = await self._ask("DELETE", port, f"/api/devices/{device_id}", bearer)
        if status == 404:
            raise _no_device(device_id)
        if status != 200:
            raise _nonsense(f"the agent did not revoke the device (status {status})")

    async def say(self, port: int, bearer: str, text: str) -> Said:
        """One message, one answer. Raises Conflict when the agent has no provider, Unavailable when no answer comes."""
        status, body = await self._ask("POST", port, "/webhook", bearer, sent={"message": text}, timeout_s=MESSAGE_S)
        if status == 200 and isinstance(body, dict) and isinstance(body.get("response"), str):
            return Said(body["response"], _plain(str(body.get("model", ""))))
        if status == 503 and isinstance(body, dict) and body.get("error") == "needs_quickstart":
            raise Conflict("agent.no_provider", "The agent has no model provider", "Add a provider to the tenant's settings first")
        if status in (408, 429):
            raise Unavailable("agent.busy", f"The agent is busy (status {status})", "Try again later", retry_after_s=30)
        if status == 500:
            raise Unavailable(
                "agent.model_failed", "The agent got no answer from its model provider", "Test the provider, or read the agent's log",
                retry_after_s=30,
            )  # fmt: skip
        raise _nonsense(f"the agent gave no answer to the message (status {status})")

    async def _ask(
        self, method: str, port: int, path: str, bearer: str, *, sent: object = None, timeout_s: float | None = None
    ) -> tuple[int, Any]:
        status, body = await self._exchange(method, port, path, bearer, sent=sent, timeout_s=timeout_s)
        if status == 401:
            raise Unavailable(
                UNPAIRED, "The agent rejects the platform's token: someone revoked it there",
                "The agent is being restarted with it; try again in a moment", retry_after_s=10,
            )  # fmt: skip
        return status, body

    async def _exchange(
        self,
        method: str,
        port: int,
        path: str,
        bearer: str | None = None,
        *,
        address: str = "127.0.0.1",
        sent: object = None,
        timeout_s: float | None = None,
    ) -> tuple[int, Any]:
        limit_s = timeout_s or self._timeout_s
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if sent is not None:
            headers["Content-Type"] = "application/json"
        data = json.dumps(sent, ensure_ascii=False).encode(errors="replace") if sent is not None else None
        url = f"http://{address}:{port}{path}"
        try:
            async with (
                asyncio.timeout(limit_s),
                self._open().request(method, url, headers=headers, data=data, allow_redirects=False) as response,
            ):
                return response.status, _json(await _read(response), response.status)
        except TimeoutError:
            raise Unavailable("agent.too_slow", f"the agent did not answer within {limit_s:g} s", retry_after_s=5) from None
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError):
            raise Unavailable("agent.unreachable", f"nothing answers on port {port}", retry_after_s=5) from None
        except (aiohttp.ClientError, ValueError, LookupError, OSError) as error:
            raise _nonsense(f"the agent's answer is not HTTP ({type(error).__name__})") from None

    def _open(self) -> aiohttp.ClientSession:
        """One session for all tenants would mix their cookies and connections: no cookies are kept, every connection is closed."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=64, force_close=True)
            self._session = untrusted.session(connector, longest_header=_LONGEST_HEADER, most_headers=_MOST_HEADERS)
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = await untrusted.read(response)
    if body is None:
        raise _nonsense(f"the agent's answer is longer than {untrusted.LONGEST_BODY} bytes")
    return body


def _json(body: bytes, status: int) -> Any:
    """Errors of the agent may be plain text; only a good answer must be JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        if status == 200:
            raise _nonsense("the agent's answer is not JSON") from None
        return None


def _health(body: Any) -> Health:
    if not isinstance(body, dict) or not isinstance(body.get("status"), str):
        return Health(False, error="the agent's answer to /health has another form")
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
        error="" if body["status"] == "ok" else f"the agent reports {_plain(body['status'])}",
    )


def _component(name: str, row: Any) -> Component:
    status = row.get("status") if isinstance(row, dict) else None
    restarts = row.get("restart_count") if isinstance(row, dict) else None
    return Component(
        _plain(name),
        _plain(status) if isinstance(status, str) else "unknown",
        min(restarts, _MOST_RESTARTS) if type(restarts) is int and restarts >= 0 else 0,
    )


def is_device_id(text: str) -> bool:
    return 0 < len(text) <= 64 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()


def _no_device(device_id: str) -> NotFound:
    return NotFound("device.unknown", f"There is no device `{_plain(device_id)}`", "List the devices again")


def _rows(status: int, body: Any, name: str) -> list[dict[str, Any]]:
    rows = body.get(name) if status == 200 and isinstance(body, dict) else None
    if not isinstance(rows, list) or len(rows) > MOST_ROWS or not all(isinstance(row, dict) for row in rows):
        raise _nonsense(f"the agent does not list its {name} (status {status})")
    return rows


def _channel(row: dict[str, Any], components: dict[str, Any]) -> Channel:
    """The component's own state goes before the listing's, which knows it for few types only."""
    readiness = row.get("readiness")
    readiness = readiness if isinstance(readiness, dict) else {}
    requirements = readiness.get("requirements")
    found = components.get(f"channel:{row.get('name')}")
    component = _component("", found)
    error = found.get("last_error") if isinstance(found, dict) else None
    return Channel(
        name=_plain(str(row.get("name", ""))),
        kind=_plain(str(row.get("type", ""))),
        is_compiled=row.get("compiled") is True,
        is_enabled=row.get("enabled") is True,
        is_ready={"ok": True, "error": False}.get(component.status, {"ready": True, "missing": False}.get(str(readiness.get("listening")))),
        status=component.status if isinstance(found, dict) else _plain(str(row.get("status", ""))),
        restarts=component.restarts,
        error=_plain(error, _LONGEST_ERROR) if isinstance(error, str) else None,
        requirements=tuple(_plain(str(line), _LONGEST_ERROR) for line in requirements[:16]) if isinstance(requirements, list) else (),
    )


def _device(row: dict[str, Any]) -> Device:
    told = {key: _plain(row[key]) if isinstance(row.get(key), str) else None for key in ("id", "name", "device_type", "ip_address")}
    times = {key: _plain(row[key]) if isinstance(row.get(key), str) else None for key in ("paired_at", "last_seen")}
    return Device(
        id=told["id"] or "",
        name=told["name"],
        kind=told["device_type"],
        address=told["ip_address"],
        paired_at=times["paired_at"],
        last_seen_at=times["last_seen"],
        is_legacy=told["device_type"] == "legacy" and told["name"] is None and told["ip_address"] is None,
    )


def _plain(text: str, longest: int = 64) -> str:
    """Short and printable: it is shown to people and stored in rows."""
    return "".join(character if character.isprintable() else "?" for character in text[:longest])


def _nonsense(sentence: str) -> Unavailable:
    return Unavailable("agent.bad_answer", sentence, "Read the agent's log", retry_after_s=5)
