"""The connection to the engine's unix socket: deadlines, streams and errors."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import IO, Any, Self

import aiodocker
import aiohttp
from yarl import URL

from zcplatform.engines.docker.answers import BadAnswer
from zcplatform.engines.docker.errors import bounded, refusal
from zcplatform.engines.docker.streams import BrokenStream, documents
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.errors import PlatformError, StepFailed

_NOT_CONNECTED = 900
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,300}", re.ASCII)
# Exceptions of the library on invalid answers, whose fields it reads unchecked.
_TROUBLE = (
    aiodocker.DockerError,
    aiohttp.ClientError,
    OSError,
    BadAnswer,
    BrokenStream,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)
Query = Mapping[str, str] | Sequence[tuple[str, str]]


class Connection:
    def __init__(self, socket: Path, *, deadline_s: float = 30, idle_s: float = 120, pull_s: float = 3600) -> None:
        """`idle_s`: how long a pull or an import may be silent. `pull_s`: how long a pull may take."""
        self._socket = socket
        self._deadline_s = deadline_s
        self._idle_s = idle_s
        self._pull_s = pull_s
        self._made: aiodocker.Docker | None = None

    async def close(self) -> None:
        if self._made is not None:
            client, self._made = self._made, None
            await client.close()
            await self._connector.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def _client(self) -> aiodocker.Docker:
        """Made inside the loop that uses it."""
        if self._made is None:
            # Not limited: a hundred followed logs would otherwise use up the connections that the loops need.
            self._connector = aiohttp.UnixConnector(str(self._socket), limit=0)
            self._made = aiodocker.Docker(url="unix://localhost", connector=self._connector, timeout=aiohttp.ClientTimeout(total=None))
        return self._made

    @asynccontextmanager
    async def _call(self, verb: str, subject: str, *, deadline_s: float | None = None, fine: tuple[int, ...] = ()) -> AsyncIterator[None]:
        """`fine` are statuses that mean the desired state already exists."""
        _check_name(subject)
        try:
            async with asyncio.timeout(self._deadline_s if deadline_s is None else deadline_s):
                yield
        except _TROUBLE as error:
            if not (isinstance(error, aiodocker.DockerError) and error.status in fine):
                raise self._meaning(verb, subject, error) from error

    @asynccontextmanager
    async def _stream(
        self, verb: str, subject: str, method: str, path: str, query: Query, *, idle_s: float | None, data: IO[bytes] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """For calls that the library lacks (import), or offers without bounds on buffers and without errors (logs, events, pull)."""
        _check_name(subject)
        try:
            if self._client.api_version == "auto":
                async with asyncio.timeout(self._deadline_s):
                    await self._client.version()
            url = URL(f"http://docker/{self._client.api_version}/{path}").with_query(query)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._deadline_s, sock_read=idle_s)
            headers = {"Content-Type": "application/x-tar"} if data is not None else {}
            async with self._client.session.request(method, url, data=data, headers=headers, timeout=timeout) as response:
                if response.status >= 400:
                    words = (await response.content.read(4096)).decode(errors="replace")
                    raise refusal(verb, subject, response.status, words)
                yield response
        except _TROUBLE as error:
            raise self._meaning(verb, subject, error) from error

    async def _documents(
        self, verb: str, subject: str, method: str, path: str, query: Query, *, idle_s: float | None, data: IO[bytes] | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        async with (
            self._stream(verb, subject, method, path, query, idle_s=idle_s, data=data) as response,
            aclosing(documents(response.content.iter_any())) as answers,
        ):
            async for answer in answers:
                if "error" in answer or "errorDetail" in answer:
                    # The engine reports errors of a stream inside a response with status 200.
                    raise refusal(verb, subject, response.status, str(answer.get("error") or answer.get("errorDetail")))
                yield answer

    def _meaning(self, verb: str, subject: str, error: Exception) -> PlatformError:
        match error:
            case aiodocker.DockerError(status=status, message=words) if status != _NOT_CONNECTED:
                return refusal(verb, subject, status, words)
            case aiodocker.DockerError() | aiohttp.ClientError() | OSError():
                if self._made is not None:
                    # The engine may come back as another version.
                    self._made.api_version = "auto"
                how = "did not answer in time" if isinstance(error, TimeoutError) else "cannot be reached"
                return EngineUnreachable(f"{verb.replace('_', ' ')} {subject}: the engine at {self._socket} {how}")
            case _:
                return StepFailed(
                    "engine.bad_answer", f"{verb} {subject}: the engine's answer cannot be parsed: {bounded(error)}", "restart the engine"
                )


def _check_name(name: str) -> None:
    """Names become part of URLs of the engine's API. A name that could change the path is a bug in the caller."""
    if _NAME.fullmatch(name) is None or ".." in name:
        raise ValueError(f"{bounded(name)!r} is not a name the engine knows")
