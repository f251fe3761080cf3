"""Users of the installation. A super-admin who can sign in always remains."""

from dataclasses import dataclass

from zcplatform.core.audit import Entry
from zcplatform.core.mailboxes import canonical
from zcplatform.errors import BadInput, Conflict, NotFound
from zcplatform.ids import new_user_id
from zcplatform.ops import views
from zcplatform.ops.context import Call, Outcome
from zcplatform.ops.sessions import end_everything
from zcplatform.ops.views import UserView
from zcplatform.store import audit, erasure, members, users
from zcplatform.store.db import Tx, require
from zcplatform.store.users import User

CHANGED = "changed"
"""Replaces names and addresses in audit entries: nothing can be erased from the log, so it contains ids only."""


@dataclass(frozen=True)
class Changes:
    """What changes; None leaves it as it is."""

    name: str | None = None
    disabled: bool | None = None
    is_super_admin: bool | None = None


def mailbox(text: str) -> str:
    """The canonical form of an address. Raises BadInput."""
    email = canonical(text)
    if email is None:
        raise BadInput(
            "user.email",
            "This is not an e-mail address that can be used here",
            "for example ada@example.com",
            fields={"email": "not an address"},
        )
    return email


def find(tx: Tx, id_or_email: str) -> User | None:
    address = canonical(id_or_email)
    return users.get(tx, id_or_email) if address is None else users.by_email(tx, address)


def get(tx: Tx, id_or_email: str) -> User:
    user = find(tx, id_or_email)
    if user is None:
        raise NotFound("user.unknown", f"There is no user `{id_or_email[:80]}`", "GET /api/users lists them")
    return user


def list_users(call: Call) -> list[User]:
    return users.everything(call.tx)


def show(call: Call, id_or_email: str) -> UserView:
    return views.user(call.tx, get(call.tx, id_or_email))


def show_self(call: Call) -> User | None:
    """None for a token that belongs to no person."""
    return users.get(call.tx, call.actor.user_id) if call.actor.user_id is not None else None


def create(call: Call, email: str, name: str, *, is_super_admin: bool) -> Outcome[User]:
    address = mailbox(email)
    if users.by_email(call.tx, address) is not None:
        raise Conflict("user.exists", f"There is already a user {address}", "GET /api/users shows it")
    if is_super_admin:
        call.actor.need_step_up(call.at)
    user = add(call.tx, address, name, call.at, is_super_admin=is_super_admin)
    call.record("user.create", user.id, is_super_admin=[None, is_super_admin])
    return Outcome(user)


def add(tx: Tx, address: str, name: str, at: str, *, is_super_admin: bool = False) -> User:
    """Insert a row for a canonical address that has none. The caller writes the audit entry."""
    user = User(new_user_id(), address, name, int(is_super_admin), None, None, at)
    users.insert(tx, user)
    return user


def change(call: Call, user_id: str, wanted: Changes) -> Outcome[UserView]:
    user = get(call.tx, user_id)
    changes: dict[str, object] = {}
    if wanted.name is not None and wanted.name != user.name:
        users.rename(call.tx, user.id, wanted.name)
        changes["name"] = CHANGED
    if wanted.is_super_admin is not None and wanted.is_super_admin != bool(user.is_super_admin):
        call.actor.need_step_up(call.at)
        if not wanted.is_super_admin:
            _require_other_super_admin(call.tx, user)
        users.make_super_admin(call.tx, user.id, wanted.is_super_admin)
        changes["is_super_admin"] = [bool(user.is_super_admin), wanted.is_super_admin]
    if wanted.disabled is not None and wanted.disabled != (user.disabled_at is not None):
        if wanted.disabled:
            _require_other_super_admin(call.tx, user)
            end_everything(call.tx, user.id, call.at, "disabled")
        users.disable(call.tx, user.id, call.at if wanted.disabled else None)
        changes["disabled"] = [not wanted.disabled, wanted.disabled]
    if changes:
        call.record("user.change", user.id, "", **changes)
    return Outcome(views.user(call.tx, require(users.get(call.tx, user.id))))


def delete(call: Call, user_id: str) -> Outcome[None]:
    """Erase a person: their sessions, tokens and memberships end, and no row keeps the address.

    Raises Conflict for the last super-admin and for a tenant's only owner, and BadInput where tenants lose a member without a reason.
    """
    user = get(call.tx, user_id)
    _require_other_super_admin(call.tx, user)
    owned_alone = members.owned_alone(call.tx, user.id)
    if owned_alone:
        named = ", ".join(f"`{slug}`" for slug in owned_alone)
        raise Conflict(
            "user.sole_owner",
            f"This user is the only owner of {named}",
            "hand each tenant over (POST /api/tenants/{tenant}/owner) or delete it",
        )
    memberships = members.of_user(call.tx, user.id)
    if memberships:
        call.actor.need_reason_elsewhere()
    for member in memberships:
        reason = call.actor.reason or call.actor.name
        call.record("member.remove", user.id, member.tenant_id, role=[member.role, None], reason=reason)
        call.emit("member.changed", tenant_id=member.tenant_id, object_id=user.id, role=None)
    erasure.erase(call.tx, user.id, user.email, call.at)
    call.record("user.delete", user.id)
    return Outcome(None)


def rename_self(call: Call, name: str) -> Outcome[User]:
    user = person(call)
    users.rename(call.tx, user.id, name)
    call.record("user.change", user.id, name=CHANGED)
    return Outcome(require(users.get(call.tx, user.id)))


def person(call: Call) -> User:
    """Return the calling user. Raises Conflict for tokens of the host and of tenants, which belong to no user."""
    if call.actor.user_id is None:
        raise Conflict("user.not_a_person", "This token does not belong to a person", "sign in, or use a token of your own")
    return get(call.tx, call.actor.user_id)


def bootstrap(tx: Tx, at: str, email: str) -> User:
    """Create the first super-admin, for root on the host. An existing user is promoted and enabled. Raises Conflict for an active super-admin."""
    address = mailbox(email)
    user = users.by_email(tx, address)
    if user is not None and user.is_super_admin and user.is_active:
        raise Conflict(
            "user.exists",
            f"{address} is already a super-admin",
            "zcplatform admin login-link EMAIL creates a sign-in link for this address",
        )
    if user is None:
        user = add(tx, address, "", at, is_super_admin=True)
    else:
        users.make_super_admin(tx, user.id, True)
        users.disable(tx, user.id, None)
    audit.append(tx, Entry(at, "host:root", "user.bootstrap", user.id, changes={"is_super_admin": [None, True]}))
    return require(users.get(tx, user.id))


def _require_other_super_admin(tx: Tx, user: User) -> None:
    if user.is_super_admin and user.is_active and users.other_super_admins(tx, user.id) == 0:
        raise Conflict(
            "user.last_super_admin", f"{user.email} is the last super-admin who can sign in", "make another user a super-admin first"
        )
