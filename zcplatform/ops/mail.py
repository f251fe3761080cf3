"""Queue mail: a row in the outbox, written in the same transaction as the change it reports. The worker sends it; no request waits for that."""

from collections.abc import Mapping
from datetime import timedelta

from zcplatform import clock
from zcplatform.ids import OutboxId, new_outbox_id
from zcplatform.store import outbox
from zcplatform.store.db import Tx
from zcplatform.vault.sealed_mail import seal_mail


def post(
    tx: Tx, seal_public: bytes, at: str, kind: str, recipient: str, values: Mapping[str, str], lives: timedelta, *, is_decoy: bool = False
) -> OutboxId:
    """Queue a message of `core.mails`, sealed for the worker. After the commit the caller wakes the worker with the empty text.

    `recipient` is a canonical address. A decoy costs the same work and is never sent.
    """
    outbox_id, expires_at = new_outbox_id(), clock.text(clock.parse(at) + lives)
    box = seal_mail(seal_public, outbox_id, kind, recipient, expires_at, values)
    outbox.put(tx, outbox_id, kind, recipient, None if is_decoy else box, at, expires_at)
    return outbox_id
