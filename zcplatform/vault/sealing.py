"""What the web process may do with secrets: seal one to the worker's public key. It cannot open what it sealed.

The sealed record names the binding of the secret. The worker rejects a box whose record differs from its row, so a copied box does not open
for another tenant, field or host.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from nacl.public import PublicKey, SealedBox

FORMAT = 1
TRIAL = "provider_trial"
"""The kind of a key that is only tested and never stored."""
SHORTEST_WITH_HINT = 16


@dataclass(frozen=True)
class SecretBinding:
    """Where a secret belongs. `host` is the host a provider key may be sent to."""

    tenant_id: str
    kind: str
    name: str
    host: str
    row: str
    version: int


def token_hash(pepper: bytes, token: str) -> bytes:
    """The stored form of a bearer token. Without the pepper, which is not in the database, it cannot be guessed offline."""
    return hashlib.blake2b(token.encode(), key=pepper, digest_size=32).digest()


def hint(value: str) -> str | None:
    """The last four characters, so that people can distinguish keys. Empty for short secrets, of which four characters would be a large part."""
    return value[-4:] if len(value) >= SHORTEST_WITH_HINT else None


def seal(public_key: bytes, binding: SecretBinding, value: str) -> bytes:
    record = {"format": FORMAT, **asdict(binding), "value": value}
    return SealedBox(PublicKey(public_key)).encrypt(json.dumps(record).encode())
