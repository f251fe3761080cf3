"""What every operation is given: who asks, and the few things it may use. And the one way a change is written."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from zcplatform import clock
from zcplatform.errors import Conflict, Unavailable
from zcplatform.log import logger
from zcplatform.ops import access
from zcplatform.ops.actor import Actor as Actor
from zcplatform.settings import Settings
from zcplatform.store import audit, idempotency
from zcplatform.store.db import Database, Tx

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """`wake` is a hint to the worker that rows of this tenant changed (or of everything: the empty text)."""

    database: Database
    settings: Settings
    seal_public: bytes
    code_mac: bytes
    wake: Callable[[str], None]


@dataclass(frozen=True)
class RetryKey:
    """One request as far as repeats are concerned. Without a key each request stands for itself."""

    route: str
    key: str | None
    body: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Answer:
    """What is answered, kept for a repeat unless it carries a credential. `wake` names the tenant whose rows changed."""

    status: int
    body: str
    wake: str | None = None
    is_credential: bool = False


async def change(context: Context, actor: Actor, retry: RetryKey, act: Callable[[Tx, str], Answer]) -> Answer:
    """Run `act(tx, now)` in one transaction, once for each idempotency key; a repeat gets the answer of the first time.

    The asker's rights are read again in it: who lost them while the request was under way changes nothing.
    """

    def write(tx: Tx) -> Answer:
        at = clock.text(clock.now())
        access.again(tx, actor, at)
        repeated = _kept(tx, actor, retry)
        if repeated is not None:
            return repeated
        answer = _require_audit_entry(tx, actor, lambda: act(tx, at))
        if retry.key is not None:
            idempotency.keep(
                tx,
                idempotency.FirstResponse(
                    actor.id, retry.route, retry.key, retry.fingerprint, answer.status, None if answer.is_credential else answer.body, at
                ),
            )
        return answer

    answer = await context.database.write(write)
    if answer.wake is not None:
        context.wake(answer.wake)
    return answer


def _require_audit_entry(tx: Tx, actor: Actor, act: Callable[[], Answer]) -> Answer:
    """No change without its audit entry: an operation that forgot it is a bug, and is rolled back. Raises Unavailable then."""
    rows, head = tx.total_changes(), audit.head(tx)
    answer = act()
    if tx.total_changes() != rows and audit.head(tx) == head:
        needed = str(actor.needed.permission) if actor.needed else ""
        logger.error("an operation changed rows and told the audit log nothing; it is rolled back", needed=needed)
        raise Unavailable(
            "audit.forgotten",
            "The change has no entry in the audit log; nothing was changed",
            "this is a defect of the platform: report it",
        )
    return answer


async def issue(context: Context, actor: Actor, retry: RetryKey, action: str, subject: str, tenant_id: str) -> None:
    """Write down that a credential is about to be given, before it is asked for. A repeat of the key is refused: nothing was kept."""

    def write(tx: Tx) -> None:
        at = clock.text(clock.now())
        access.again(tx, actor, at)
        if retry.key is not None:
            if idempotency.get(tx, actor.id, retry.route, retry.key) is not None:
                raise _issued()
            idempotency.keep(tx, idempotency.FirstResponse(actor.id, retry.route, retry.key, retry.fingerprint, 200, None, at))
        audit.append(tx, actor.entry(at, action, subject, tenant_id))

    await context.database.write(write)


def _kept(tx: Tx, actor: Actor, retry: RetryKey) -> Answer | None:
    if retry.key is None:
        return None
    kept = idempotency.get(tx, actor.id, retry.route, retry.key)
    if kept is None:
        return None
    if kept.answer is None:
        raise _issued()
    if kept.request_hash != retry.fingerprint:
        raise Conflict(
            "idempotency.mismatch", "This Idempotency-Key was used before with another request", "use a new key for a new request"
        )
    return Answer(kept.status, kept.answer)


def _issued() -> Conflict:
    return Conflict(
        "idempotency.already_issued",
        "This Idempotency-Key was used before; what it gave is not kept and can not be given again",
        "ask again with a new key",
    )
