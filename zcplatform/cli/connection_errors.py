"""Why the API could not be reached, in words: the name, the port, the certificate or the scheme, and what to do about it."""

import socket
import ssl
from collections.abc import Iterator

import httpx2

from zcplatform.cli.errors import CommandError

CODE = "api.unreachable"
UNTRUSTED = frozenset({18, 19, 20, 21})
"""OpenSSL's numbers for a certificate whose authority is not known here."""
EXPIRED, WRONG_NAME = 10, 62
TO_TLS = b"HTTP request to an HTTPS server"
"""What a TLS port answers to plain HTTP (Caddy and others written in Go)."""
HUNG_UP = (ConnectionResetError, BrokenPipeError)
"""Somebody listened and closed the connection."""
CHECK_ADDRESS = "Check the address for typing errors, and the DNS record."


def explain(error: Exception, url: httpx2.URL, unix_socket: str) -> CommandError:
    """The error for a request that got no response. `unix_socket` is empty where TCP was used."""
    where = unix_socket or str(url)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, url)
        if isinstance(cause, ssl.SSLError):
            return CommandError(
                CODE, f"{where} does not speak TLS: {_reason(cause)}", "Check scheme and port; http:// is for an installation without TLS."
            )
        if isinstance(cause, socket.gaierror):
            return CommandError(CODE, f"The name {url.host} is not known: {cause.strerror}", CHECK_ADDRESS)
        if isinstance(cause, ConnectionRefusedError):
            return CommandError(CODE, f"Nothing listens at {where}", "Is `zcplatform serve` (and `zcplatform edge`) running on that host?")
        if isinstance(cause, FileNotFoundError) and unix_socket:
            return CommandError(CODE, f"The platform is not running: there is no socket at {where}", "Start it: zcplatform serve")
        if isinstance(cause, PermissionError) and unix_socket:
            return CommandError(CODE, f"This user may not open {where}", "Run the command as root, or sign in at the panel's address.")
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, HUNG_UP):
            return CommandError(CODE, f"{where} cannot be reached: {cause.strerror}", "Check the address, the network and the firewall.")
    if isinstance(error, httpx2.TimeoutException):
        return CommandError(CODE, f"The API at {where} does not answer in time", "Look at the host and at the log of the platform.")
    return CommandError(CODE, f"The connection to {where} broke: {error}", "Try again; if it persists, read the log of the platform.")


def _certificate(error: ssl.SSLCertVerificationError, url: httpx2.URL) -> CommandError:
    hints = {
        EXPIRED: "The operator must renew it; check this machine's clock as well.",
        WRONG_NAME: f"Use the name that the certificate is for instead of {url.host}.",
    } | dict.fromkeys(
        UNTRUSTED, "If the installation has an authority of its own, name its root certificate: SSL_CERT_FILE=FILE zcplatform …"
    )
    why = error.verify_message.rstrip(".")
    return CommandError(CODE, f"The certificate of {url.host} is not valid: {why}", hints.get(error.verify_code, "Ask the operator."))


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or "the handshake failed").replace("_", " ").lower()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The innermost cause first: it is the most exact one."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    return reversed(chain)


def not_our_api(response: httpx2.Response, url: httpx2.URL, where: str) -> CommandError:
    """The error for a response that does not come from the API."""
    status = response.status_code
    if response.is_redirect:
        location = response.headers.get("location", "nowhere")
        return CommandError(
            "api.answer", f"{where} redirects to {location}", "The credentials are not sent there; use that address if it is yours."
        )
    if url.scheme == "http" and TO_TLS in response.content:
        return CommandError("api.answer", f"{where} speaks HTTPS only", f"Use https://{url.netloc.decode()}")
    if status in (502, 503, 504):
        return CommandError(
            "api.answer",
            f"The server at {where} answers, but the platform behind it does not ({status})",
            "Try again in a moment; on the host, look whether `zcplatform serve` runs.",
        )
    if response.headers.get("x-zcplatform"):
        return CommandError(
            "api.answer",
            f"{where} is not the panel of this installation ({status})",
            "Use the panel's address, the one that sign-in links have.",
        )
    return CommandError(
        "api.answer", f"{where} is not a zcplatform API: it answered {status} without a reason of ours", "Check the address and the port."
    )
