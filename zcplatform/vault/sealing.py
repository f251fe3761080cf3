"""Seal secrets to the worker's public key. The web process can do this, and cannot open what it sealed.

The sealed record names the binding of the secret. The worker rejects a box whose record differs from its row, so a copied box does not open
for another tenant, field or host.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from nacl.public import PublicKey, SealedBox

FORMAT = 1
TRIAL = "provider_trial"
"""The kind of a provider key that is tested without being stored."""
SHORTEST_WITH_HINT = 16


@dataclass(frozen=True)
class SecretBinding:
    """What a secret belongs to. `host` is the host that a provider key may be sent to."""

    tenant_id: str
    kind: str
    name: str
    host: str
    row: str
    version: int


def token_hash(pepper: bytes, token: str) -> bytes:
    """Return the stored form of a bearer token. Without the pepper, which is not in the database, it cannot be attacked offline."""
    return hashlib.blake2b(token.encode(), key=pepper, digest_size=32).digest()


def hint(value: str) -> str | None:
    """Return the last four characters, by which people distinguish keys. Empty for short secrets, where four characters would reveal too much."""
    return value[-4:] if len(value) >= SHORTEST_WITH_HINT else None


def seal(public_key: bytes, binding: SecretBinding, value: str) -> bytes:
    record = {"format": FORMAT, **asdict(binding), "value": value}
    return SealedBox(PublicKey(public_key)).encrypt(json.dumps(record).encode())
