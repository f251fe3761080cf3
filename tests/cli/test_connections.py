"""Why the API cannot be reached: each cause is named as what it is, with what to do (D5)."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.running import run, run_signed_in
from tests.fakes.apis import Honest, serving
from tests.fakes.mail_servers import CERTIFICATE, certificate
from tests.live.edge_rig import free_port


class Edge(Honest):
    """An edge that answers for a platform that does not."""

    body: bytes = b""
    content_type = "text/plain"
    status = 502
    reason = ""

    def handle_any(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(self.body)))
        if self.reason:
            self.send_header("X-Zcplatform", self.reason)
        self.end_headers()
        self.wfile.write(self.body)

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815


class Unreachable(Edge):
    """Our edge's own words for a platform that is down."""

    body = (
        b'{"type":"about:blank","title":"Service unavailable","status":502,"code":"web.unreachable",'
        b'"detail":"The platform is not answering.","hint":"Try again in a moment."}'
    )
    content_type = "application/problem+json"


class OtherName(Edge):
    """Our edge, asked for a name that it does not know."""

    status, body, reason = 404, b"no-such-tenant\n", "no-such-tenant"


@contextmanager
def _tls() -> Iterator[str]:
    """A server with a certificate for localhost that nobody vouches for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Honest)
    server.socket = certificate().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # type: ignore[method-assign,assignment]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _error(tmp_path: Path, api: str) -> str:
    done = run_signed_in(api, tmp_path, "tenants", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "SSLContext" not in done.stderr
    return done.stderr


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    with _tls() as api:
        error = _error(tmp_path, api)
    assert "The certificate of localhost is not valid: " in error
    assert "SSL_CERT_FILE" in error


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    with _tls() as api:
        other = api.replace("localhost", "panel.localhost")
        done = run(tmp_path, "tenants", "list", "--api", other, "--token-file", str(token), SSL_CERT_FILE=str(CERTIFICATE))
    assert "The certificate of panel.localhost is not valid" in done.stderr
    assert "instead of panel.localhost" in done.stderr


def test_an_authority_of_its_own_can_be_named(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("zcp_secret")
    with _tls() as api:
        done = run(tmp_path, "tenants", "list", "--api", api, "--token-file", str(token), SSL_CERT_FILE=str(CERTIFICATE))
    assert done.returncode == 0, done.stderr


def test_tls_where_there_is_none(tmp_path: Path) -> None:
    with serving(Honest) as (api, _):
        error = _error(tmp_path, api.replace("http://", "https://"))
    assert "does not speak TLS" in error


def test_plain_http_to_a_tls_port(tmp_path: Path) -> None:
    class Go(Edge):
        status, body = 400, b"Client sent an HTTP request to an HTTPS server.\n"

    with serving(Go) as (api, _):
        error = _error(tmp_path, api)
    assert "speaks HTTPS only" in error
    assert api.replace("http://", "https://") in error


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    error = _error(tmp_path, "https://panel.example.invalid")
    assert "The name panel.example.invalid is not known" in error


def test_a_port_where_nothing_listens(tmp_path: Path) -> None:
    error = _error(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert "Nothing listens at http://127.0.0.1:" in error
    assert "zcplatform serve" in error


@pytest.mark.parametrize("by_reset", [False, True])
def test_a_server_that_closes_the_connection(tmp_path: Path, by_reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close() -> None:
            with suppress(OSError):  # the listener was shut down
                while True:  # a client may try again
                    accepted = listener.accept()[0]
                    if by_reset:
                        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    accepted.close()

        thread = threading.Thread(target=close)
        thread.start()
        error = _error(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert "The connection to http://127.0.0.1:" in error


@pytest.mark.parametrize("kind", [Edge, Unreachable])
def test_an_edge_without_its_platform(tmp_path: Path, kind: type[Edge]) -> None:
    with serving(kind) as (api, _):
        error = _error(tmp_path, api)
    assert "The platform is not answering." in error if kind is Unreachable else "the platform behind it does not (502)" in error
    assert "not a zcplatform API" not in error


def test_an_edge_that_was_asked_for_another_name(tmp_path: Path) -> None:
    with serving(OtherName) as (api, _):
        assert "is not the panel of this installation" in _error(tmp_path, api)


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / ".config" / "zcplatform" / "login.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"current": "x", "logins": {"http://x": {"token": "zcp_x", "socket": str(tmp_path / "web.sock")}}}))
    done = run(tmp_path, "tenants", "list", "--api", "http://x")
    assert (done.returncode, "The platform is not running" in done.stderr) == (1, True)
