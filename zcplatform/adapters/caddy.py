"""Caddy: its admin API on a unix socket, its public listener as a client sees it, and the file that it starts with.

Every call has a time limit and fails with one of four errors.
"""

import asyncio
import contextlib
import errno
import json
import os
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from zcplatform.core.edge.pages import REASON_HEADER, TENANT_HEADER
from zcplatform.errors import Conflict, StepFailed, Unavailable
from zcplatform.settings import Settings

_LONGEST = 500
_CLOSED = (errno.ECONNRESET, errno.EPIPE)


class EdgeUnreachable(Unavailable):
    """Caddy did not respond, or not in time. Whether a document was set is unknown."""


class EdgeInterrupted(EdgeUnreachable):
    """Caddy closed the connection, as it does with waiting requests while a new document replaces its admin listener. Try again."""


class EdgeRejected(StepFailed):
    """Caddy responded with an error. The previous document is still in place."""


class EdgeConflict(Conflict):
    """The document in Caddy is no longer the one that was compared."""


class Caddy:
    def __init__(self, admin_socket: Path, public_port: int, *, tls: bool, http_port: int | None = None, timeout_s: float = 10) -> None:
        self._socket = admin_socket
        self._http_port = http_port or public_port
        self._public_port = public_port
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    @classmethod
    def of(cls, settings: Settings) -> "Caddy":
        tls = settings.tls != "off"
        return cls(settings.caddy_socket, settings.https_port if tls else settings.http_port, tls=tls, http_port=settings.http_port)

    async def get(self) -> tuple[dict[str, Any] | None, str]:
        """Return the whole document (None: Caddy has none) and its ETag."""
        async with self._admin() as session, _words(self._socket), session.get("http://caddy/config/") as answer:
            if answer.status != 200:
                raise _rejected(answer.status, await answer.text(errors="replace"))
            found = await answer.json(content_type=None)
            etag = answer.headers.get("Etag", "")
        if not (found is None or isinstance(found, dict)) or not etag:
            raise _rejected(200, "an answer without a document or without an ETag")
        return found, etag

    async def set(self, document: dict[str, Any], etag: str) -> None:
        """Set the whole document in one request if `etag` still matches the one in Caddy. (`/load` would ignore If-Match.)"""
        async with (
            self._admin() as session,
            _words(self._socket),
            session.post("http://caddy/config/", json=document, headers={"If-Match": etag}) as answer,
        ):
            if answer.status == 412:
                raise EdgeConflict("edge.conflict", "The document in Caddy was changed by someone else meanwhile", "It is compared again")
            if answer.status != 200:
                raise _rejected(answer.status, await answer.text(errors="replace"))

    async def require_listener(self) -> None:
        """Raise EdgeUnreachable unless Caddy itself answers on its public ports: an unknown name gets our 404, on the HTTP port in every TLS mode."""
        async with (
            aiohttp.ClientSession(timeout=self._timeout) as session,
            _words(f"127.0.0.1:{self._http_port}"),
            session.get(f"http://127.0.0.1:{self._http_port}/", headers={"Host": "nobody.invalid"}, allow_redirects=False) as answer,
        ):
            if REASON_HEADER not in answer.headers:
                place = f"127.0.0.1:{self._http_port}"
                raise EdgeUnreachable("edge.unreachable", f"Something other than this edge answers on {place}", "zcplatform doctor")
        if self._tls:
            async with asyncio.timeout(self._timeout.total), _words(f"127.0.0.1:{self._public_port}"):
                _, writer = await asyncio.open_connection("127.0.0.1", self._public_port)
                writer.close()

    async def marker(self, host: str, path: str = "/") -> str | None:
        """Return the tenant whose route answers to `host` on the public listener, as a visitor would see it; None if no tenant's does."""
        scheme = "https" if self._tls else "http"
        url = f"{scheme}://127.0.0.1:{self._public_port}{path}"
        # Not verified: this connection is on the loopback, and the certificate may be from a private CA.
        async with (
            aiohttp.ClientSession(timeout=self._timeout) as session,
            _words(f"127.0.0.1:{self._public_port}"),
            session.get(
                url,
                headers={"Host": host},
                server_hostname=host if self._tls else None,
                ssl=_unverified() if self._tls else True,
                allow_redirects=False,
            ) as answer,
        ):
            return answer.headers.get(TENANT_HEADER)

    def _admin(self) -> aiohttp.ClientSession:
        """Open a connection per request: Caddy makes a new admin listener with each document."""
        connector = aiohttp.UnixConnector(path=str(self._socket), force_close=True)
        return aiohttp.ClientSession(connector=connector, timeout=self._timeout)


@contextlib.asynccontextmanager
async def _words(place: object) -> AsyncIterator[None]:
    """Translate the libraries' exceptions into our errors, with the actual cause."""
    try:
        yield
    except TimeoutError:
        raise EdgeUnreachable("edge.unreachable", f"Caddy did not respond in time on {place}", "See the log of the edge") from None
    except ValueError as error:
        raise _rejected(200, f"not JSON: {error}") from None
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, aiohttp.ServerDisconnectedError) or (isinstance(error, OSError) and error.errno in _CLOSED):
            raise EdgeInterrupted("edge.unreachable", f"Caddy closed the connection on {place}", "It is tried again") from None
        text = f"Caddy cannot be reached on {place}: {_cause(error)}"[:_LONGEST]
        raise EdgeUnreachable("edge.unreachable", text, "Check that `zcplatform edge` runs: zcplatform doctor") from None


def _cause(error: aiohttp.ClientError | OSError) -> str:
    """Describe the cause without the object representations in the library's text."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError):
        reason = getattr(getattr(error, "os_error", error), "reason", None) or "no certificate for this name yet"
        return f"the TLS handshake failed ({reason})"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _rejected(status: int, words: str) -> EdgeRejected:
    return EdgeRejected("edge.rejected", f"Caddy answered {status}: {words.strip()[:_LONGEST]}", "See the log of the edge")


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def save_document(path: Path, document: dict[str, Any], gid: int) -> None:
    """Save the document atomically and readable by the edge: a torn file would cost every route at the next start."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(document, file)
            os.fchown(file.fileno(), -1, gid)
            os.fchmod(file.fileno(), 0o640)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def saved_document(path: Path) -> Any:
    """Return what `save_document` wrote, or None if nothing can be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def certificate_stamp(certificate: Path | None, key: Path | None) -> str:
    """Return a text that changes when one of the operator's files is replaced; for `Site.certificate_stamp`."""
    parts = []
    for path in (certificate, key):
        if path is not None:
            with contextlib.suppress(OSError):
                found = path.stat()
                parts.append(f"{found.st_ino}.{found.st_mtime_ns}.{found.st_size}")
    return "-".join(parts)
