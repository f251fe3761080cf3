"""What may be asked of a tenant's members. Nobody gives or takes a role above his own; an owner who can act always stays."""

from zcplatform.core.roles import Permission, Role
from zcplatform.errors import Conflict, NotAllowed, NotFound
from zcplatform.ids import UserId
from zcplatform.ops import users as people
from zcplatform.ops.access import find
from zcplatform.ops.actor import Actor
from zcplatform.store import audit, events, members, users
from zcplatform.store.db import Tx
from zcplatform.store.members import Member


def get(tx: Tx, tenant: str, id_or_email: str) -> Member:
    """A user of another tenant is as unknown here as one that never was."""
    user = people.find(tx, id_or_email)
    member = members.get(tx, find(tx, tenant).id, user.id) if user is not None else None
    if member is None:
        raise NotFound("member.unknown", f"Tenant `{tenant[:80]}` has no member `{id_or_email[:80]}`", "GET …/members lists them")
    return member


def change_role(tx: Tx, actor: Actor, at: str, tenant: str, user_id: str, role: Role) -> None:
    member = get(tx, tenant, user_id)
    if member.role == role:
        return
    reach(actor, Role(member.role), at)
    reach(actor, role, at)
    if role is not Role.OWNER:
        _keep_owner(tx, member)
    _put(tx, actor, at, member, role)


def remove(tx: Tx, actor: Actor, at: str, tenant: str, user_id: str) -> None:
    member = get(tx, tenant, user_id)
    if member.user_id != actor.user_id:
        reach(actor, Role(member.role), at)
    _remove(tx, actor, at, member, "member.remove")


def leave(tx: Tx, actor: Actor, at: str, tenant: str) -> None:
    _remove(tx, actor, at, get(tx, tenant, people.person(tx, actor).id), "member.leave")


def hand_over(tx: Tx, actor: Actor, at: str, tenant: str, user_id: str) -> None:
    """Another member becomes owner; an owner who asks is a manager from then on."""
    member = get(tx, tenant, user_id)
    heir = users.get(tx, member.user_id)
    if heir is None or not heir.is_active:
        raise Conflict("member.disabled", "This member can not sign in", "choose another one")
    if member.role != Role.OWNER:
        _put(tx, actor, at, member, Role.OWNER)
    giver = members.get(tx, member.tenant_id, actor.user_id) if actor.user_id is not None and actor.user_id != member.user_id else None
    if giver is not None and giver.role == Role.OWNER:
        _put(tx, actor, at, giver, Role.MANAGER)


def reach(actor: Actor, role: Role, at: str) -> None:
    """Raises NotAllowed when this role is above what the actor may give or take."""
    if role is Role.OWNER:
        actor.need(Permission.OWNER_CHANGE)
        actor.need_step_up(at)
    elif not actor.is_super_admin and (actor.role is None or role.rank > actor.role.rank):
        raise NotAllowed("member.above_you", f"The role {role} is above your own", "ask somebody who has it")


def _put(tx: Tx, actor: Actor, at: str, member: Member, role: Role) -> None:
    members.put(tx, Member(member.tenant_id, member.user_id, role, member.created_at))
    audit.append(tx, actor.entry(at, "member.change", member.user_id, member.tenant_id, role=[member.role, role]))
    _tell(tx, at, member, role)


def _remove(tx: Tx, actor: Actor, at: str, member: Member, action: str) -> None:
    _keep_owner(tx, member)
    members.remove(tx, member.tenant_id, member.user_id)
    audit.append(tx, actor.entry(at, action, member.user_id, member.tenant_id, role=[member.role, None]))
    _tell(tx, at, member, None)


def _tell(tx: Tx, at: str, member: Member, role: Role | None) -> None:
    events.append(tx, at, "member.changed", tenant_id=member.tenant_id, object_id=member.user_id, role=role)


def _keep_owner(tx: Tx, member: Member) -> None:
    if member.role == Role.OWNER and members.other_owners(tx, member.tenant_id, UserId(member.user_id)) == 0:
        raise Conflict("member.last_owner", "The last owner who can sign in stays", "make another member an owner first")
