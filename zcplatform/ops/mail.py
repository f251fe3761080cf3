"""Queue mail: a row in the outbox, written in the same transaction as the change it reports. The worker sends it; no request waits for that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from zcplatform import clock
from zcplatform.ids import OutboxId, new_outbox_id
from zcplatform.store import outbox
from zcplatform.store.db import Tx
from zcplatform.vault.sealed_mail import seal_mail


@dataclass(frozen=True)
class Draft:
    """A message to be written from its `kind` and `values` (see `core.mails`) and sent within `lives`."""

    kind: str
    recipient: str
    """A canonical address."""
    values: Mapping[str, str]
    lives: timedelta
    is_decoy: bool = False
    """Queue a decoy: it costs the same work and is never sent."""


def post(tx: Tx, seal_public: bytes, at: str, draft: Draft) -> OutboxId:
    """Queue a message, sealed for the worker. After the commit the caller wakes the worker with the empty text."""
    outbox_id, expires_at = new_outbox_id(), clock.text(clock.parse(at) + draft.lives)
    box = seal_mail(seal_public, outbox_id, draft.kind, draft.recipient, expires_at, draft.values)
    outbox.put(tx, outbox_id, draft.kind, draft.recipient, None if draft.is_decoy else box, at, expires_at)
    return outbox_id
