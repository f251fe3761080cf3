"""What the web process may do with secrets: seal one to the worker's public key. It can not open what it sealed.

The sealed record names the binding the secret is for. The worker refuses a box whose record differs from the row it lies in, so a copied box
opens nothing in another tenant, field or host.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from nacl.public import PublicKey, SealedBox

FORMAT = 1
TRIAL = "provider_trial"
"""The kind of a key that is only tried, and stored nowhere."""
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
    """What is stored of a bearer token; without the pepper, which is not in the database, it can not be tried."""
    return hashlib.blake2b(token.encode(), key=pepper, digest_size=32).digest()


def hint(value: str) -> str | None:
    """The last four characters, for people to tell keys apart; nothing of a secret so short that they would be a good part of it."""
    return value[-4:] if len(value) >= SHORTEST_WITH_HINT else None


def seal(public_key: bytes, binding: SecretBinding, value: str) -> bytes:
    record = {"format": FORMAT, **asdict(binding), "value": value}
    return SealedBox(PublicKey(public_key)).encrypt(json.dumps(record).encode())
