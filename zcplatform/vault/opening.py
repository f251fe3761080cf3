"""Open sealed boxes, encrypt secrets for the database, and decrypt them. Only the worker has the keys. XChaCha20-Poly1305 of libsodium, with associated data.

The associated data binds a ciphertext to its tenant, kind, name, host, row and version. Anywhere else, decryption fails and never yields a wrong secret.
"""

import secrets

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from zcplatform import bounded_json
from zcplatform.errors import PlatformError
from zcplatform.vault.sealing import FORMAT, SecretBinding

VERSION = b"\x01"
_NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES


class CannotOpen(PlatformError):
    """The ciphertext or box is damaged, made with another key, or for another binding. The error never reveals which."""

    def __init__(self) -> None:
        super().__init__(
            "secret.unreadable", "A stored secret cannot be decrypted: it was damaged or moved to another row", "Submit the secret again"
        )


def _bound_to(parts: tuple[str, ...]) -> bytes:
    """Encode parts with length prefixes, so that no two lists of parts give the same bytes."""
    return b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in ("zcplatform", str(FORMAT), *parts))


def _binding_bytes(binding: SecretBinding) -> bytes:
    return _bound_to((binding.tenant_id, binding.kind, binding.name, binding.host, binding.row, str(binding.version)))


def _encrypt(key: bytes, plain: bytes, associated: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return VERSION + nonce + crypto_aead_xchacha20poly1305_ietf_encrypt(plain, VERSION + associated, nonce, key)


def _decrypt(key: bytes, blob: bytes, associated: bytes) -> bytes:
    if blob[:1] != VERSION or len(blob) < 1 + _NONCE + 16:
        raise CannotOpen
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(blob[1 + _NONCE :], VERSION + associated, blob[1 : 1 + _NONCE], key)
    except CryptoError:
        raise CannotOpen from None


def new_data_key() -> bytes:
    return secrets.token_bytes(32)


def wrap(wrap_key: bytes, tenant_id: str, data_key: bytes) -> bytes:
    return _encrypt(wrap_key, data_key, _bound_to(("data key", tenant_id)))


def unwrap(wrap_key: bytes, tenant_id: str, wrapped: bytes) -> bytes:
    return _decrypt(wrap_key, wrapped, _bound_to(("data key", tenant_id)))


def wrap_previous(wrap_key: bytes, name: str, key: bytes) -> bytes:
    """Return a key derived from an earlier root key that is still in use."""
    return _encrypt(wrap_key, key, _bound_to(("kept key", name)))


def unwrap_previous(wrap_key: bytes, name: str, wrapped: bytes) -> bytes:
    return _decrypt(wrap_key, wrapped, _bound_to(("kept key", name)))


def encrypt(data_key: bytes, binding: SecretBinding, value: str) -> bytes:
    return _encrypt(data_key, value.encode(), _binding_bytes(binding))


def decrypt(data_key: bytes, binding: SecretBinding, ciphertext: bytes) -> str:
    return _decrypt(data_key, ciphertext, _binding_bytes(binding)).decode()


def open_box(private_key: PrivateKey, binding: SecretBinding, box: bytes) -> str:
    """Return the submitted secret if the record in the box is for exactly this binding."""
    try:
        record = bounded_json.loads(SealedBox(private_key).decrypt(box))
        expected = {"format": FORMAT, **binding.__dict__}
        if not isinstance(record, dict) or {key: record.get(key) for key in expected} != expected:
            raise CannotOpen
        value = record["value"]
    except (CryptoError, ValueError, KeyError):
        raise CannotOpen from None
    if not isinstance(value, str):
        raise CannotOpen
    return value
