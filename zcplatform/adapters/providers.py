"""Call a model provider to test its key. The address comes from a tenant, so it is as hostile as the answer.

The name is resolved once, and the connection is made to that address if all addresses of the name are allowed. No redirects, proxies, cookies
or compression. A whole test takes at most 12 seconds, and 64 KiB of each answer are read. Every failure is the same `Unreachable`, without a reason.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from zcplatform.adapters import untrusted
from zcplatform.agent.provider_calls import Call, ProviderTestOutcome, Reply, Talk
from zcplatform.core.addresses import may_be_called

TIMEOUT_S = 12.0
_LONGEST_HEADER = 8_190
_MOST_HEADERS = 128

Resolve = Callable[[str], Awaitable[list[str]]]


class Unreachable(Exception):
    """The connection was refused, filtered, reset or too slow, the name or TLS is bad, or the address is not allowed. Which of these is never reported."""


class ProviderClient:
    """`allowed` are the ADDRESS:PORT pairs of the settings file. Names below `own_domain` are those of this installation.

    `most_lookups` limits how many names are resolved at once: a name server that never answers occupies a thread for each.
    """

    def __init__(
        self,
        allowed: Collection[str],
        own_domain: str,
        *,
        resolve: Resolve | None = None,
        timeout_s: float = TIMEOUT_S,
        most_lookups: int = 4,
    ) -> None:
        self._allowed = frozenset(allowed)
        self._own_domain = own_domain
        self._resolve = resolve or _resolver(most_lookups)
        self._timeout_s = timeout_s

    async def hold(self, talk: Talk) -> ProviderTestOutcome:
        """Make the calls of `talk` until it has an outcome. Raises Unreachable."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._hold(talk)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, LookupError):
            raise Unreachable from None
        finally:
            talk.close()

    async def _hold(self, talk: Talk) -> ProviderTestOutcome:
        call = _next(talk, None)
        if isinstance(call, ProviderTestOutcome):
            return call
        host, port = _place(call.url)
        pinned = await self._pin(host, port)
        is_tls = urlsplit(call.url).scheme == "https"
        trust = (
            await asyncio.to_thread(ssl.create_default_context) if is_tls else True
        )  # loads all certificate authorities, which takes a while
        async with _session(pinned, trust) as session:
            while not isinstance(call, ProviderTestOutcome):
                if _place(call.url) != (host, port):
                    raise Unreachable
                call = _next(talk, await _send(session, call))
            return call

    async def _pin(self, host: str, port: int) -> str:
        """Return the one address that everything is sent to. All addresses of the name must be allowed, because the next lookup might return another one."""
        name = host.rstrip(".").lower()
        found = await self._resolve(host)
        addresses = [address for address in found if may_be_called(address, port, self._allowed)]
        if not found or len(addresses) != len(found):
            raise Unreachable
        is_allowed = f"{addresses[0]}:{port}" in self._allowed
        if not is_allowed and (name == self._own_domain or name.endswith(f".{self._own_domain}") or is_of_this_host(addresses[0])):
            raise Unreachable
        return addresses[0]


def _next(talk: Talk, reply: Reply | None) -> Call | ProviderTestOutcome:
    try:
        return next(talk) if reply is None else talk.send(reply)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


async def _send(session: aiohttp.ClientSession, call: Call) -> Reply:
    headers = {**call.headers, **({"Content-Type": "application/json"} if call.body is not None else {})}
    async with session.request(call.method, call.url, headers=headers, data=call.body, allow_redirects=False) as response:
        return Reply(response.status, _json(await untrusted.read(response), response.headers.get("Content-Encoding", "identity")))


def _json(body: bytes | None, encoding: str) -> object:
    """Return the parsed body; the empty text if it is not JSON, or compressed although that was not requested."""
    if body is None:
        return None
    try:
        return json.loads(body) if encoding == "identity" else ""
    except (ValueError, RecursionError):
        return ""


def _session(address: str, trust: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """Create a session for one test, so that nothing of one tenant is left for the next."""
    connector = aiohttp.TCPConnector(
        ssl=trust,
        resolver=_Pinned(address),
        family=socket.AF_INET,
        use_dns_cache=False,
        limit=1,
        force_close=True,
        happy_eyeballs_delay=None,
    )
    return untrusted.session(connector, longest_header=_LONGEST_HEADER, most_headers=_MOST_HEADERS)


class _Pinned(AbstractResolver):
    """Resolves every name to the address that was checked."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        pass


def _resolver(most_lookups: int) -> Resolve:
    """Resolves names on separate threads: a name server that never answers must not occupy those that the rest of the worker needs."""
    threads = ThreadPoolExecutor(most_lookups, thread_name_prefix="resolve")

    async def resolve(host: str) -> list[str]:
        """IPv4 only, like the agents' networks."""
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(threads, socket.getaddrinfo, host, None, socket.AF_INET, socket.SOCK_STREAM)
        return list(dict.fromkeys(str(row[4][0]) for row in rows))

    return resolve


def is_of_this_host(address: str) -> bool:
    """Whether it is an address of this host: only those can be bound. Agents cannot reach what listens there, so the test may not either."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
