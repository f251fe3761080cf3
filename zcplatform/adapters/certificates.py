"""Check the operator's certificate files, as the edge's user."""

import os
import pwd
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from zcplatform.settings import Settings

_LONGEST = 200
_READ = """
import ssl, sys
try:
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(sys.argv[1], sys.argv[2], lambda: b"")
except ssl.SSLError as error:
    sys.exit(str(error.reason or error))
"""
_SEQUENCE, _UTC_TIME, _VERSION = 0x30, 0x17, 0xA0


def trouble(settings: Settings) -> str:
    """Return why the edge cannot use `tls_certificate` and `tls_key`, as a sentence; empty if it can or does not need them. Must run as root."""
    if settings.tls != "files" or settings.tls_certificate is None or settings.tls_key is None:
        return ""
    try:
        user = pwd.getpwnam(settings.edge_user)
    except KeyError:
        return ""
    for name, path in (("tls_certificate", settings.tls_certificate), ("tls_key", settings.tls_key)):
        if not path.exists():
            return f"`{name}` {path} does not exist."
        if _as(user, "test", "-r", str(path)).returncode != 0:
            return f"User {settings.edge_user} cannot read `{name}` {path}."
    done = _as(user, sys.executable, "-I", "-c", _READ, str(settings.tls_certificate), str(settings.tls_key))
    if done.returncode != 0:
        words = (done.stderr.strip().splitlines() or ["they cannot be parsed"])[-1][:_LONGEST]
        return f"`tls_certificate` {settings.tls_certificate} and `tls_key` do not match or are not PEM ({words})."
    return ""


def expires_at(certificate: Path | None) -> datetime | None:
    """Return when the first certificate in a file expires; None if none can be read."""
    try:
        text = certificate.read_text() if certificate else ""
        begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        first = text[text.index(begin) : text.index(end) + len(end)]
        return _not_after(ssl.PEM_cert_to_DER_cert(first))
    except (OSError, ValueError, IndexError):
        return None


def _as(user: pwd.struct_passwd, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        cwd="/",
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _not_after(der: bytes) -> datetime:
    """Read the expiry time: Certificate → TBSCertificate → version?, serial number, algorithm, issuer, validity → second time (RFC 5280)."""
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    tag, _, after_version = _element(signed)
    rest = after_version if tag == _VERSION else signed
    for _ in range(3):
        _, _, rest = _element(rest)
    tag, validity, _ = _element(rest)
    if tag != _SEQUENCE:
        raise ValueError("not a certificate")
    _, _, rest = _element(validity)
    tag, time, _ = _element(rest)
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(time.decode("ascii"), form).replace(tzinfo=UTC)


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag, value and remaining bytes of the first DER element."""
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("cut off")
    return tag, data[start : start + length], data[start + length :]
