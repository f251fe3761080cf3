"""HTTP client for a tenant's agent. The agent is not trusted: whatever it answers, the caller gets a value or Unavailable within the time limit.

Bounded: five seconds for the whole exchange (two minutes for a message), 64 KiB of body, 64 headers of 4 KiB; no redirects, proxies, cookies
or compression. What the answers mean: agent/gateway_answers.py.
"""

import asyncio
import json
from types import TracebackType
from typing import Any, Self

import aiohttp

from zcplatform.adapters import untrusted
from zcplatform.agent import gateway_answers as answers
from zcplatform.agent.gateway_answers import Channel, Device, Health, Said
from zcplatform.engines.seen import Address
from zcplatform.errors import Conflict, Unavailable

TIMEOUT_S = 5.0
MESSAGE_S = 120.0
LONGEST_CODE = 256
UNPAIRED = "agent.rejected_token"
_LONGEST_HEADER = 4_096
_MOST_HEADERS = 64


class Gateway:
    """A client that owns its connections; use it with `async with` or close it."""

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

    async def health(self, address: Address) -> Health:
        """Ask for the agent's health. Never raises because of the agent; `error` is a sentence."""
        try:
            status, body = await self._exchange("GET", address, "/health")
            return answers.health(body) if status == 200 else Health(False, error=f"the agent answered /health with status {status}")
        except Unavailable as error:
            return Health(False, error=error.detail)

    async def initiate_pairing(self, address: Address, bearer: str) -> str:
        """Return a new pairing code, which replaces the pending one. Raises Unavailable."""
        status, body = await self._ask("POST", address, "/api/pairing/initiate", bearer)
        code = body.get("pairing_code") if status == 200 and isinstance(body, dict) else None
        if not isinstance(code, str) or not 0 < len(code) <= LONGEST_CODE or not (code.isascii() and code.isalnum()):
            raise answers.nonsense(f"the agent gave no pairing code (status {status})")
        return code

    async def channels(self, address: Address, bearer: str) -> tuple[Channel, ...]:
        """Return every configured channel with the state of its component. Raises Unavailable."""
        status, body = await self._ask("GET", address, "/api/channels", bearer)
        rows = answers.rows(status, body, "channels")
        status, answer = await self._ask("GET", address, "/api/health", bearer)
        health = answer.get("health") if status == 200 and isinstance(answer, dict) else None
        components = health.get("components") if isinstance(health, dict) else None
        return tuple(answers.channel(row, components if isinstance(components, dict) else {}) for row in rows)

    async def devices(self, address: Address, bearer: str) -> tuple[Device, ...]:
        """Return the paired devices. Raises Unavailable."""
        return tuple(answers.device(row) for row in answers.rows(*await self._ask("GET", address, "/api/devices", bearer), "devices"))

    async def revoke(self, address: Address, bearer: str, device_id: str) -> None:
        """Revoke a device's token. Raises NotFound, Unavailable."""
        if not answers.is_device_id(device_id):
            raise answers.no_device(device_id)
        status, _ = await self._ask("DELETE", address, f"/api/devices/{device_id}", bearer)
        if status == 404:
            raise answers.no_device(device_id)
        if status != 200:
            raise answers.nonsense(f"the agent did not revoke the device (status {status})")

    async def say(self, address: Address, bearer: str, text: str) -> Said:
        """Send a message and return the reply. Raises Conflict if the agent has no provider, Unavailable if no reply comes."""
        status, body = await self._ask("POST", address, "/webhook", bearer, sent={"message": text}, timeout_s=MESSAGE_S)
        if status == 200 and isinstance(body, dict) and isinstance(body.get("response"), str):
            return Said(body["response"], answers.plain(str(body.get("model", ""))))
        if status == 503 and isinstance(body, dict) and body.get("error") == "needs_quickstart":
            raise Conflict("agent.no_provider", "The agent has no model provider", "Add a provider to the tenant's settings first")
        if status in (408, 429):
            raise Unavailable("agent.busy", f"The agent is busy (status {status})", "Try again later", retry_after_s=30)
        if status == 500:
            raise Unavailable(
                "agent.model_failed", "The agent got no answer from its model provider", "Test the provider, or read the agent's log",
                retry_after_s=30,
            )  # fmt: skip
        raise answers.nonsense(f"the agent gave no answer to the message (status {status})")

    async def _ask(
        self, method: str, address: Address, path: str, bearer: str, *, sent: object = None, timeout_s: float | None = None
    ) -> tuple[int, Any]:
        status, body = await self._exchange(method, address, path, bearer, sent=sent, timeout_s=timeout_s)
        if status == 401:
            raise Unavailable(
                UNPAIRED, "The agent rejects the platform's token: someone revoked it there",
                "The agent is being restarted with a new one; try again in a moment", retry_after_s=10,
            )  # fmt: skip
        return status, body

    async def _exchange(
        self,
        method: str,
        address: Address,
        path: str,
        bearer: str | None = None,
        *,
        sent: object = None,
        timeout_s: float | None = None,
    ) -> tuple[int, Any]:
        limit_s = timeout_s or self._timeout_s
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if sent is not None:
            headers["Content-Type"] = "application/json"
        data = json.dumps(sent, ensure_ascii=False).encode(errors="replace") if sent is not None else None
        url = f"http://{address}{path}"
        try:
            async with (
                asyncio.timeout(limit_s),
                self._open().request(method, url, headers=headers, data=data, allow_redirects=False) as response,
            ):
                return response.status, answers.parse_json(await _read(response), response.status)
        except TimeoutError:
            raise Unavailable("agent.too_slow", f"the agent did not answer within {limit_s:g} s", retry_after_s=5) from None
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError):
            raise Unavailable("agent.unreachable", f"nothing answers on port {address.port}", retry_after_s=5) from None
        except (aiohttp.ClientError, ValueError, LookupError, OSError) as error:
            raise answers.nonsense(f"the agent's answer is not HTTP ({type(error).__name__})") from None

    def _open(self) -> aiohttp.ClientSession:
        """Create a session that keeps no cookies and closes every connection, because it is shared by all tenants."""
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=64, force_close=True)
            self._session = untrusted.session(connector, longest_header=_LONGEST_HEADER, most_headers=_MOST_HEADERS)
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = await untrusted.read(response)
    if body is None:
        raise answers.nonsense(f"the agent's answer is longer than {untrusted.LONGEST_BODY} bytes")
    return body
