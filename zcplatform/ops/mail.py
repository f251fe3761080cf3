"""Mail is asked for by a row in the outbox, in the transaction of what it tells of. The worker writes and sends it; no request waits for that."""

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
    """Seal a message of `core.mails` to the worker; the caller wakes it with the empty text after the commit.

    `recipient` is a canonical address. A decoy costs the same work and is never sent.
    """
    outbox_id, expires_at = new_outbox_id(), clock.text(clock.parse(at) + lives)
    box = seal_mail(seal_public, outbox_id, kind, recipient, expires_at, values)
    outbox.put(tx, outbox_id, kind, recipient, None if is_decoy else box, at, expires_at)
    return outbox_id
