"""What may be asked of users. One super-admin who can act always stays."""

from dataclasses import dataclass

from zcplatform.core.audit import Entry
from zcplatform.core.mailboxes import canonical
from zcplatform.errors import BadInput, Conflict, NotFound
from zcplatform.ids import new_user_id
from zcplatform.ops.actor import Actor
from zcplatform.ops.sessions import end_everything
from zcplatform.store import audit, erasure, events, members, users
from zcplatform.store.db import Tx, require
from zcplatform.store.users import User

CHANGED = "changed"
"""What the audit log is told of a person's name and address: it keeps ids, and can never forget."""


@dataclass(frozen=True)
class Changes:
    """What is to change; None leaves it as it is."""

    name: str | None = None
    disabled: bool | None = None
    is_super_admin: bool | None = None


def mailbox(text: str) -> str:
    email = canonical(text)
    if email is None:
        raise BadInput("user.email", "This is no mail address that is taken", "for example ada@example.com", fields={"email": "no address"})
    return email


def find(tx: Tx, id_or_email: str) -> User | None:
    address = canonical(id_or_email)
    return users.get(tx, id_or_email) if address is None else users.by_email(tx, address)


def get(tx: Tx, id_or_email: str) -> User:
    user = find(tx, id_or_email)
    if user is None:
        raise NotFound("user.unknown", f"There is no user `{id_or_email[:80]}`", "GET /api/users lists them")
    return user


def create(tx: Tx, actor: Actor, at: str, email: str, name: str, *, is_super_admin: bool) -> User:
    address = mailbox(email)
    if users.by_email(tx, address) is not None:
        raise Conflict("user.exists", f"There is a user {address} already", "GET /api/users shows it")
    if is_super_admin:
        actor.need_step_up(at)
    user = add(tx, address, name, at, is_super_admin=is_super_admin)
    audit.append(tx, actor.entry(at, "user.create", user.id, is_super_admin=[None, is_super_admin]))
    return user


def add(tx: Tx, address: str, name: str, at: str, *, is_super_admin: bool = False) -> User:
    """A row for a canonical address that has none; the caller writes the audit entry."""
    user = User(new_user_id(), address, name, int(is_super_admin), None, None, at)
    users.insert(tx, user)
    return user


def change(tx: Tx, actor: Actor, at: str, user_id: str, wish: Changes) -> User:
    user = get(tx, user_id)
    told: dict[str, object] = {}
    if wish.name is not None and wish.name != user.name:
        users.rename(tx, user.id, wish.name)
        told["name"] = CHANGED
    if wish.is_super_admin is not None and wish.is_super_admin != bool(user.is_super_admin):
        actor.need_step_up(at)
        if not wish.is_super_admin:
            _keep_one(tx, user)
        users.make_super_admin(tx, user.id, wish.is_super_admin)
        told["is_super_admin"] = [bool(user.is_super_admin), wish.is_super_admin]
    if wish.disabled is not None and wish.disabled != (user.disabled_at is not None):
        if wish.disabled:
            _keep_one(tx, user)
            end_everything(tx, user.id, at, "disabled")
        users.disable(tx, user.id, at if wish.disabled else None)
        told["disabled"] = [not wish.disabled, wish.disabled]
    if told:
        audit.append(tx, actor.entry(at, "user.change", user.id, "", **told))
    return require(users.get(tx, user.id))


def delete(tx: Tx, actor: Actor, at: str, user_id: str) -> None:
    """Nothing of his opens anything from now on, and no row holds his address. Raises Conflict where nobody could take his place, and BadInput
    where tenants lose a member and are not told why.
    """
    user = get(tx, user_id)
    _keep_one(tx, user)
    alone = members.owned_alone(tx, user.id)
    if alone:
        named = ", ".join(f"`{slug}`" for slug in alone)
        raise Conflict(
            "user.sole_owner", f"He is the only owner of {named}", "hand each over (POST /api/tenants/{tenant}/owner) or delete it"
        )
    memberships = members.of_user(tx, user.id)
    if memberships:
        actor.need_reason_elsewhere()
    for member in memberships:
        audit.append(
            tx, actor.entry(at, "member.remove", user.id, member.tenant_id, role=[member.role, None], reason=actor.reason or actor.name)
        )
        events.append(tx, at, "member.changed", tenant_id=member.tenant_id, object_id=user.id, role=None)
    erasure.erase(tx, user.id, user.email, at)
    audit.append(tx, actor.entry(at, "user.delete", user.id))


def rename_self(tx: Tx, actor: Actor, at: str, name: str) -> User:
    user = person(tx, actor)
    users.rename(tx, user.id, name)
    audit.append(tx, actor.entry(at, "user.change", user.id, name=CHANGED))
    return require(users.get(tx, user.id))


def person(tx: Tx, actor: Actor) -> User:
    """The user who asks; tokens of the host and of tenants are nobody's."""
    if actor.user_id is None:
        raise Conflict("user.nobody", "This token belongs to no person", "sign in, or use a token of yours")
    return get(tx, actor.user_id)


def bootstrap(tx: Tx, at: str, email: str) -> User:
    """The first super-admin, asked for by root on the host. A user there is made one; an active super-admin there already is a conflict."""
    address = mailbox(email)
    user = users.by_email(tx, address)
    if user is not None and user.is_super_admin and user.is_active:
        raise Conflict("user.exists", f"{address} is a super-admin already", "zcplatform admin login-link EMAIL lets him in")
    if user is None:
        user = add(tx, address, "", at, is_super_admin=True)
    else:
        users.make_super_admin(tx, user.id, True)
        users.disable(tx, user.id, None)
    audit.append(tx, Entry(at, "host:root", "user.bootstrap", user.id, changes={"is_super_admin": [None, True]}))
    return require(users.get(tx, user.id))


def _keep_one(tx: Tx, user: User) -> None:
    if user.is_super_admin and user.is_active and users.other_super_admins(tx, user.id) == 0:
        raise Conflict("user.last_super_admin", f"{user.email} is the last super-admin who can sign in", "make somebody else one first")
