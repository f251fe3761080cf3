"""Speaks HTTP to a tenant's agent on 127.0.0.1. The agent is hostile: whatever it answers, the caller gets a value or Unavailable, in time.

Bounded: five seconds for the whole exchange, 64 KiB of body, 64 headers of 4 KiB; no redirects, proxies, cookies or compression.
"""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from zcplatform.errors import Unavailable

TIMEOUT_S = 5.0
LONGEST_BODY = 65_536
LONGEST_CODE = 256
MOST_COMPONENTS = 256
_LONGEST_HEADER = 4_096
_MOST_HEADERS = 64
_MOST_RESTARTS = 2**31


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
        status, body = await self._exchange("POST", port, "/api/pairing/initiate", bearer)
        if status == 401:
            raise Unavailable(
                "agent.refused_token", "the agent refuses the platform's token", "restart the tenant: the token is rendered again"
            )
        code = body.get("pairing_code") if status == 200 and isinstance(body, dict) else None
        if not isinstance(code, str) or not 0 < len(code) <= LONGEST_CODE or not (code.isascii() and code.isalnum()):
            raise _nonsense(f"the agent gave no pairing code (status {status})")
        return code

    async def _exchange(
        self, method: str, port: int, path: str, bearer: str | None = None, *, address: str = "127.0.0.1"
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._open().request(method, f"http://{address}:{port}{path}", headers=headers, allow_redirects=False) as response,
            ):
                return response.status, _json(await _read(response), response.status)
        except TimeoutError:
            raise Unavailable("agent.too_slow", f"the agent did not answer within {self._timeout_s:g} s", retry_after_s=5) from None
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError):
            raise Unavailable("agent.unreachable", f"nothing answers on port {port}", retry_after_s=5) from None
        except (aiohttp.ClientError, ValueError, LookupError, OSError) as error:
            raise _nonsense(f"the agent's answer is not HTTP ({type(error).__name__})") from None

    def _open(self) -> aiohttp.ClientSession:
        """One session for all tenants would mix their cookies and connections: no cookies are kept, every connection is closed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                headers={"User-Agent": "zcplatform", "Accept": "application/json", "Accept-Encoding": "identity"},
                trust_env=False,
                auto_decompress=False,
                max_line_size=_LONGEST_HEADER,
                max_field_size=_LONGEST_HEADER,
                max_headers=_MOST_HEADERS,
                read_bufsize=LONGEST_BODY,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise _nonsense(f"the agent's answer is longer than {LONGEST_BODY} bytes")
    return bytes(body)


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


def _plain(text: str) -> str:
    """Short and printable: it is shown to people and stored in rows."""
    return "".join(character if character.isprintable() else "?" for character in text[:64])


def _nonsense(sentence: str) -> Unavailable:
    return Unavailable("agent.bad_answer", sentence, "see the agent's log", retry_after_s=5)
