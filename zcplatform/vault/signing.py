"""Sign and verify the audit log's anchors and checkpoints with Ed25519. Verification needs only the public key."""

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey


def sign(key: SigningKey, message: bytes) -> bytes:
    return bytes(key.sign(message).signature)


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(public_key).verify(message, signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True
