"""What a letter in the outbox is bound to: its row, kind, recipient and end. A box in another row, or of a later end, is refused by the worker."""

import json
from collections.abc import Mapping

from zcplatform.vault.sealing import Place, seal

KIND = "mail"


def place(row: str, kind: str, recipient: str, expires_at: str) -> Place:
    return Place("", KIND, f"{kind} until {expires_at}", recipient, row, 1)


def seal_letter(public_key: bytes, row: str, kind: str, recipient: str, expires_at: str, values: Mapping[str, str]) -> bytes:
    return seal(public_key, place(row, kind, recipient, expires_at), json.dumps(dict(values)))
