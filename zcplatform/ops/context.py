"""What operations receive (`Context`, `Caller`, `Call`), and how changes are written.

`Context` belongs to the process, `Caller` to a request, `Call` to one transaction. An operation is a function whose first parameter is a `Call`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from zcplatform import clock
from zcplatform.core.roles import Permission
from zcplatform.errors import Conflict, Unavailable
from zcplatform.log import logger
from zcplatform.ops import access, replays
from zcplatform.ops.actor import Actor as Actor
from zcplatform.settings import Settings
from zcplatform.store import audit, events, idempotency
from zcplatform.store.db import Database, Tx

T = TypeVar("T")


@dataclass(frozen=True)
class Context:
    """`wake` is a hint to the worker that rows of this tenant changed (the empty text: of something that belongs to no tenant)."""

    database: Database
    settings: Settings
    seal_public: bytes
    code_mac: bytes
    wake: Callable[[str], None]
    token_pepper: bytes = b""

    @classmethod
    def open(cls, settings: Settings, seal_public: bytes, code_mac: bytes, token_pepper: bytes, wake: Callable[[str], None]) -> "Context":
        """Open the database that the settings name."""
        return cls(Database(settings.database), settings, seal_public, code_mac, wake, token_pepper)


@dataclass(frozen=True)
class Call:
    """One operation in its transaction: the connection, who acts, and when."""

    tx: Tx
    context: Context
    actor: Actor
    at: str

    def record(self, action: str, subject: str, tenant_id: str = "", **changes: object) -> None:
        """Append an audit entry. `changes` are fields that are not secret: {field: [before, after]}."""
        audit.append(self.tx, self.actor.entry(self.at, action, subject, tenant_id, **changes))

    def emit(self, kind: str, *, tenant_id: str | None = None, object_id: str | None = None, **data: object) -> None:
        """Append an event; `kind` is one of core/registry/events.py."""
        events.append(self.tx, self.at, kind, tenant_id=tenant_id, object_id=object_id, **data)

    def requiring(self, *permissions: Permission) -> "Call":
        """The same call with these permissions checked. Its audit entries show the role that they were needed for. Raises NotAllowed."""
        return replace(self, actor=self.actor.requiring(*permissions))


@dataclass(frozen=True)
class RetryKey:
    """Identifies a request so that a retry with the same Idempotency-Key replays the first response. `key` None: every request is a new one."""

    route: str
    key: str | None
    body: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a change returns. `wake` names the tenant whose rows changed. A credential is never stored for a retry."""

    value: T
    wake: str | None = None
    is_credential: bool = False


@dataclass(frozen=True)
class Caller:
    """The sender of a request, with methods to read and to change."""

    context: Context
    actor: Actor
    retry: RetryKey

    def read(self, function: Callable[[Call], T]) -> T:
        """Run `function` on one snapshot of the database."""
        at = clock.text(clock.now())
        return self.context.database.read(lambda tx: function(Call(tx, self.context, self.actor, at)))

    async def change(self, act: Callable[[Call], Outcome[T]]) -> T:
        """Run `act` in one transaction, once for each retry key; a retry gets the rows that the first run returned.

        The caller's rights are read again in the transaction: a change is not written with rights that were lost meanwhile.
        """
        outcome = await self.context.database.write(lambda tx: self._change(tx, act))
        if outcome.wake is not None:
            self.context.wake(outcome.wake)
        return outcome.value

    async def issue(self, action: str, subject: str, tenant_id: str) -> None:
        """Write the audit entry of a credential before it is created. A retry with the same key is rejected, because the credential was not stored."""

        def write(tx: Tx) -> None:
            at = clock.text(clock.now())
            access.confirm(tx, self.actor, at)
            if self.retry.key is not None:
                if idempotency.get(tx, self.actor.id, self.retry.route, self.retry.key) is not None:
                    raise _not_kept()
                self._keep(tx, None, at)
            Call(tx, self.context, self.actor, at).record(action, subject, tenant_id)

        await self.context.database.write(write)

    def _change(self, tx: Tx, act: Callable[[Call], Outcome[T]]) -> Outcome[T]:
        at = clock.text(clock.now())
        access.confirm(tx, self.actor, at)
        replayed: Outcome[T] | None = self._replayed(tx)
        if replayed is not None:
            return replayed
        outcome = _require_audit_entry(tx, self.actor, lambda: act(Call(tx, self.context, self.actor, at)))
        if self.retry.key is not None:
            self._keep(tx, None if outcome.is_credential else replays.to_text(outcome.value), at)
        return outcome

    def _replayed(self, tx: Tx) -> Outcome[T] | None:
        if self.retry.key is None:
            return None
        first = idempotency.get(tx, self.actor.id, self.retry.route, self.retry.key)
        if first is None:
            return None
        if first.result is None:
            raise _not_kept()
        if first.request_hash != self.retry.fingerprint:
            raise Conflict(
                "idempotency.mismatch", "This Idempotency-Key was used before with another request", "use a new key for a new request"
            )
        try:
            return Outcome(replays.from_text(first.result))
        except ValueError:  # kept by another version of the platform
            raise _not_kept() from None

    def _keep(self, tx: Tx, result: str | None, at: str) -> None:
        if self.retry.key is not None:
            row = idempotency.FirstRequest(self.actor.id, self.retry.route, self.retry.key, self.retry.fingerprint, result, at)
            idempotency.keep(tx, row)


def _require_audit_entry(tx: Tx, actor: Actor, act: Callable[[], T]) -> T:
    """Raise Unavailable if an operation changed rows without an audit entry, which is a bug. The transaction is rolled back."""
    rows, head = tx.total_changes(), audit.head(tx)
    result = act()
    if tx.total_changes() != rows and audit.head(tx) == head:
        needed = str(actor.needed.permission) if actor.needed else ""
        logger.error("an operation changed rows without an audit entry; it was rolled back", needed=needed)
        raise Unavailable(
            "audit.entry_missing",
            "The change has no entry in the audit log; nothing was changed",
            "this is a bug in the platform: report it",
        )
    return result


def _not_kept() -> Conflict:
    return Conflict(
        "idempotency.already_issued",
        "This Idempotency-Key was used before, and its response was not stored",
        "repeat the request with a new key",
    )
