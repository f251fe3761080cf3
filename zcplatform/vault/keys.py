"""The root key and the keys derived from it, each for one purpose. For the worker and host commands; the web process never imports this."""

import hmac
import os
import secrets
import stat
from dataclasses import dataclass, replace
from pathlib import Path

from nacl.public import PrivateKey
from nacl.signing import SigningKey

from zcplatform.errors import CannotRun

KEY_BYTES = 32


def hkdf(key: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869) with an empty salt and one block of output, 32 bytes."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def purpose_key(root: bytes, purpose: str) -> bytes:
    """Derive the key for one purpose. It reveals nothing about the other keys."""
    return hkdf(root, b"zcplatform/1/" + purpose.encode())


@dataclass(frozen=True)
class Keys:
    """All keys derived from the root key. Only `token_pepper`, `code_mac`, `seal_public` and live signing keys leave the worker."""

    wrap: bytes
    seal_private: PrivateKey
    token_pepper: bytes
    code_mac: bytes
    signing: bytes
    audit_signer: SigningKey
    check: str

    @property
    def seal_public(self) -> bytes:
        return bytes(self.seal_private.public_key)

    def signing_key(self, number: int) -> bytes:
        """Return one of the keys that sign sessions. The next one cannot be derived from it."""
        return hkdf(self.signing, f"signing key {number}".encode())

    @property
    def audit_public(self) -> bytes:
        return bytes(self.audit_signer.verify_key)

    @classmethod
    def of(cls, root: bytes) -> "Keys":
        return cls(
            wrap=purpose_key(root, "wrap data keys"),
            seal_private=PrivateKey(purpose_key(root, "open sealed boxes")),
            token_pepper=purpose_key(root, "token pepper"),
            code_mac=purpose_key(root, "code mac"),
            signing=purpose_key(root, "sign sessions"),
            audit_signer=SigningKey(purpose_key(root, "sign audit anchors")),
            check=purpose_key(root, "key check").hex(),
        )

    def with_pepper(self, token_pepper: bytes) -> "Keys":
        """Return these keys with the token pepper of an earlier root key, so that tokens survive a rotation."""
        return replace(self, token_pepper=token_pepper)

    def __repr__(self) -> str:
        return "Keys(…)"


def load(path: Path) -> bytes:
    """Read the root key: 64 hexadecimal characters in a file that only root may read. Raises CannotRun."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CannotRun("key.unreadable", f"The key file {path} cannot be read: {error.strerror}", "See docs/how-to/root-key.md") from None
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise CannotRun(
                "key.rights", f"The key file {path} must be a regular file of root with mode 0600", f"chown root {path} && chmod 600 {path}"
            )
        text = file.read(200).strip()
    try:
        key = bytes.fromhex(text.decode())
    except (ValueError, UnicodeDecodeError):
        key = b""
    if len(key) != KEY_BYTES or len(set(key)) == 1:
        raise CannotRun(
            "key.malformed", f"The key file {path} does not contain 64 hexadecimal characters of a random key", "Restore it from your copy"
        )
    return key


def create(path: Path) -> bytes:
    """Create a root key and sync it to disk before it is used."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)
    return key
