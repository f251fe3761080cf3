"""Seal secrets as the agent does in its configuration file, and create tokens for its gateway.

`enc2:` + hex of nonce, ciphertext and tag; ChaCha20-Poly1305 (IETF) without associated data. The empty text stays empty. The agent opens
these values with the key in its `.secret_key`. A value that does not open prevents the agent's start, so only this module writes sealed values.
"""

import hashlib
import secrets

from nacl.bindings import (
    crypto_aead_chacha20poly1305_ietf_ABYTES,
    crypto_aead_chacha20poly1305_ietf_decrypt,
    crypto_aead_chacha20poly1305_ietf_encrypt,
    crypto_aead_chacha20poly1305_ietf_KEYBYTES,
    crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
)
from nacl.exceptions import CryptoError

PREFIX = "enc2:"
KEY_BYTES: int = crypto_aead_chacha20poly1305_ietf_KEYBYTES

_NONCE_BYTES: int = crypto_aead_chacha20poly1305_ietf_NPUBBYTES
_TAG_BYTES: int = crypto_aead_chacha20poly1305_ietf_ABYTES


class NotSealed(ValueError):
    """The value cannot be opened: it is malformed, was changed, or was sealed with another key."""


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def seal(key: bytes, text: str) -> str:
    return _sealed(key, text, secrets.token_bytes(_NONCE_BYTES))


def _sealed(key: bytes, text: str, nonce: bytes) -> str:
    if not text:
        return ""
    _require_key(key)
    return PREFIX + (nonce + crypto_aead_chacha20poly1305_ietf_encrypt(text.encode(), None, nonce, key)).hex()


def unseal(key: bytes, value: str) -> str:
    """Open a sealed value. Raises NotSealed, also for a value without the prefix, which the agent would read as plain text: we never write one."""
    if not value:
        return ""
    _require_key(key)
    if not value.startswith(PREFIX):
        raise NotSealed("the value does not begin with enc2:")
    try:
        box = bytes.fromhex(value.removeprefix(PREFIX))
    except ValueError:
        raise NotSealed("the value is not hexadecimal") from None
    if len(box) < _NONCE_BYTES + _TAG_BYTES:
        raise NotSealed("the value is too short")
    nonce, ciphertext = box[:_NONCE_BYTES], box[_NONCE_BYTES:]
    try:
        return crypto_aead_chacha20poly1305_ietf_decrypt(ciphertext, None, nonce, key).decode()
    except (CryptoError, UnicodeDecodeError):
        raise NotSealed("the value was changed or made with another key") from None


def _require_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise NotSealed(f"the key has {len(key)} bytes instead of {KEY_BYTES}")


def new_token() -> str:
    """Create a bearer for the agent's gateway. The agent stores only its hash, so the platform can make it."""
    return "zc_" + secrets.token_hex(32)


def token_hash(token: str) -> str:
    """Return the hash that the agent stores (sealed) in `gateway.paired_tokens`."""
    return hashlib.sha256(token.encode()).hexdigest()
