"""The binding of a message in the outbox: its row, kind, recipient and expiry. The worker rejects a box in another row or with a later expiry."""

import json
from collections.abc import Mapping

from zcplatform.vault.sealing import SecretBinding, seal

KIND = "mail"


def binding(row: str, kind: str, recipient: str, expires_at: str) -> SecretBinding:
    return SecretBinding("", KIND, f"{kind} until {expires_at}", recipient, row, 1)


def seal_mail(public_key: bytes, row: str, kind: str, recipient: str, expires_at: str, values: Mapping[str, str]) -> bytes:
    return seal(public_key, binding(row, kind, recipient, expires_at), json.dumps(dict(values)))
