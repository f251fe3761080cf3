"""Caddy: its admin API on a unix socket, its public listener as a client sees it, and the file it is started with.

Decides nothing. Every call has a time limit; what went wrong is one of four errors.
"""

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

from zcplatform.core.edge.pages import TENANT_HEADER
from zcplatform.errors import Conflict, StepFailed, Unavailable
from zcplatform.settings import Settings

_LONGEST = 500
_CLOSED = (errno.ECONNRESET, errno.EPIPE)


class EdgeUnreachable(Unavailable):
    """Caddy did not answer in time or not at all; whether a document was set is not known."""


class EdgeInterrupted(EdgeUnreachable):
    """Caddy closed the connection, as it does to those that wait while a new document replaces its admin listener: look again."""


class EdgeRejected(StepFailed):
    """Caddy answered, and not with what was asked for. The document that stood before stands."""


class EdgeConflict(Conflict):
    """The document in Caddy is not the one that was compared with."""


class Caddy:
    def __init__(self, admin_socket: Path, public_port: int, *, tls: bool, timeout_s: float = 10) -> None:
        self._socket = admin_socket
        self._public_port = public_port
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    @classmethod
    def of(cls, settings: Settings) -> "Caddy":
        tls = settings.tls != "off"
        return cls(settings.caddy_socket, settings.https_port if tls else settings.http_port, tls=tls)

    async def get(self) -> tuple[dict[str, Any] | None, str]:
        """The whole document (None: Caddy has none) and its ETag."""
        async with self._admin() as session, _words(self._socket), session.get("http://caddy/config/") as answer:
            if answer.status != 200:
                raise _rejected(answer.status, await answer.text(errors="replace"))
            found = await answer.json(content_type=None)
            etag = answer.headers.get("Etag", "")
        if not (found is None or isinstance(found, dict)) or not etag:
            raise _rejected(200, "an answer without a document or without an ETag")
        return found, etag

    async def set(self, document: dict[str, Any], etag: str) -> None:
        """One request sets the whole document, if `etag` is still that of the one in Caddy. (`/load` would ignore If-Match.)"""
        async with (
            self._admin() as session,
            _words(self._socket),
            session.post("http://caddy/config/", json=document, headers={"If-Match": etag}) as answer,
        ):
            if answer.status == 412:
                raise EdgeConflict("edge.conflict", "the document in Caddy was changed by somebody else meanwhile", "it is compared again")
            if answer.status != 200:
                raise _rejected(answer.status, await answer.text(errors="replace"))

    async def marker(self, host: str, path: str = "/") -> str | None:
        """The tenant whose route answers to `host`, asked through the public listener as a client would; None when it is nobody's."""
        scheme = "https" if self._tls else "http"
        url = f"{scheme}://127.0.0.1:{self._public_port}{path}"
        # It is our own loopback, and a certificate may be of our own CA, so that it is not verified.
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
        """A connection for each request: Caddy makes a new admin listener with each document."""
        connector = aiohttp.UnixConnector(path=str(self._socket), force_close=True)
        return aiohttp.ClientSession(connector=connector, timeout=self._timeout)


@contextlib.asynccontextmanager
async def _words(place: object) -> AsyncIterator[None]:
    try:
        yield
    except TimeoutError:
        raise EdgeUnreachable("edge.unreachable", f"Caddy did not answer in time on {place}", "see the log of the edge") from None
    except ValueError as error:
        raise _rejected(200, f"not JSON: {error}") from None
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, aiohttp.ServerDisconnectedError) or (isinstance(error, OSError) and error.errno in _CLOSED):
            raise EdgeInterrupted("edge.unreachable", f"Caddy closed the connection on {place}: {error}", "it is asked again") from None
        text = f"Caddy could not be asked on {place}: {error}"[:_LONGEST]
        raise EdgeUnreachable("edge.unreachable", text, "see that `zcplatform edge` runs") from None


def _rejected(status: int, words: str) -> EdgeRejected:
    return EdgeRejected("edge.rejected", f"Caddy answered {status}: {words.strip()[:_LONGEST]}", "see the log of the edge")


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def save_document(path: Path, document: dict[str, Any], gid: int) -> None:
    """Whole or not at all, and readable for the edge: a torn file would cost every route at the next start."""
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


def certificate_stamp(certificate: Path | None, key: Path | None) -> str:
    """Changes when one of the operator's files was replaced; for `Site.certificate_stamp`."""
    parts = []
    for path in (certificate, key):
        if path is not None:
            with contextlib.suppress(OSError):
                found = path.stat()
                parts.append(f"{found.st_ino}.{found.st_mtime_ns}.{found.st_size}")
    return "-".join(parts)
