"""Erase a user's personal data from all tables at once. Their row stays as a bare id, because the audit log and other rows refer to it."""

from zcplatform.ids import UserId
from zcplatform.store.db import Tx

_GONE = (
    "DELETE FROM sessions WHERE user_id = :user",
    "DELETE FROM browsers WHERE user_id = :user",
    "DELETE FROM login_links WHERE user_id = :user",
    "DELETE FROM members WHERE user_id = :user",
    "DELETE FROM outbox WHERE recipient = :address OR id IN (SELECT outbox_id FROM challenges WHERE user_id = :user)",
    "DELETE FROM challenges WHERE user_id = :user OR email = :address",
    "DELETE FROM idempotency_keys WHERE actor = :user OR instr(result, '\"' || :address || '\"')",
    "UPDATE invitations SET revoked_at = :at WHERE (email = :address OR inviter_user_id = :user) AND accepted_at IS NULL AND revoked_at IS NULL",
    "UPDATE invitations SET email = :user WHERE email = :address",
    "UPDATE tokens SET revoked_at = :at WHERE (user_id = :user OR maker_user_id = :user) AND revoked_at IS NULL",
    "UPDATE tokens SET name = '' WHERE user_id = :user",
    "UPDATE users SET email = '', name = '', is_super_admin = 0, deleted_at = :at WHERE id = :user",
)
_NAMED = (
    "UPDATE revisions SET author = :new WHERE author = :old",
    "UPDATE operations SET requested_by = :new WHERE requested_by = :old",
    "UPDATE invitations SET inviter = :new WHERE inviter = :old",
    "UPDATE holds SET held_by = :new WHERE held_by = :old",
)


_MOVED = (
    "DELETE FROM idempotency_keys WHERE instr(result, '\"' || :address || '\"')",
    "UPDATE invitations SET revoked_at = :at WHERE email = :address AND accepted_at IS NULL AND revoked_at IS NULL",
    "UPDATE invitations SET email = :user WHERE email = :address",
    "UPDATE outbox SET status = 'void', box = NULL, ended_at = :at WHERE recipient = :address AND status = 'waiting'",
    "UPDATE outbox SET recipient = '' WHERE recipient = :address",
)


def erase(tx: Tx, user_id: UserId, address: str, at: str) -> None:
    """Revoke all of a user's credentials and memberships, and remove their address and name from every table except the audit log."""
    for statement in _GONE:
        tx.execute(statement, {"user": user_id, "address": address, "at": at})
    rename(tx, address, user_id)


def leave_address(tx: Tx, user_id: UserId, old: str, new: str, at: str) -> None:
    """Replace a user's old address in every table, because a later erasure only looks for the new one."""
    for statement in _MOVED:
        tx.execute(statement, {"user": user_id, "address": old, "at": at})
    rename(tx, old, new)


def rename(tx: Tx, old: str, new: str) -> None:
    """Replace a user's name where rows record who did something."""
    for statement in _NAMED:
        tx.execute(statement, {"old": old, "new": new})
