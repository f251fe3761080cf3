"""Members of a tenant. Nobody can assign or remove a role above their own, and an owner who can sign in always remains."""

from zcplatform.core.roles import Permission, Role
from zcplatform.errors import Conflict, NotAllowed, NotFound
from zcplatform.ids import UserId
from zcplatform.ops import users as people
from zcplatform.ops.access import find
from zcplatform.ops.context import Call, Outcome
from zcplatform.ops.views import MemberList
from zcplatform.store import members, users
from zcplatform.store.db import Tx
from zcplatform.store.members import Member, Membership


def list_members(call: Call, tenant: str) -> MemberList:
    return MemberList(members.people(call.tx, find(call.tx, tenant).id))


def list_own_tenants(call: Call) -> list[Membership]:
    """The tenants that the caller is a member of, with the role there; for a service account its one tenant with its own role."""
    return members.tenants_of(call.tx, call.actor.user_id, call.actor.service_of, str(call.actor.cap))


def get(tx: Tx, tenant: str, id_or_email: str) -> Member:
    """Return the member. Raises NotFound, also for users of other tenants, whose existence is not revealed."""
    user = people.find(tx, id_or_email)
    member = members.get(tx, find(tx, tenant).id, user.id) if user is not None else None
    if member is None:
        raise NotFound(
            "member.unknown", f"Tenant `{tenant[:80]}` has no member `{id_or_email[:80]}`", "GET /api/tenants/{tenant}/members lists them"
        )
    return member


def change_role(call: Call, tenant: str, user_id: str, role: Role) -> Outcome[MemberList]:
    member = get(call.tx, tenant, user_id)
    if member.role != role:
        call = require_reach(require_reach(call, Role(member.role)), role)
        if role is not Role.OWNER:
            _require_other_owner(call.tx, member)
        _set_role(call, member, role)
    return Outcome(list_members(call, tenant))


def remove(call: Call, tenant: str, user_id: str) -> Outcome[MemberList]:
    member = get(call.tx, tenant, user_id)
    if member.user_id != call.actor.user_id:
        call = require_reach(call, Role(member.role))
    _remove(call, member, "member.remove")
    return Outcome(list_members(call, tenant))


def leave(call: Call, tenant: str) -> Outcome[None]:
    _remove(call, get(call.tx, tenant, people.person(call).id), "member.leave")
    return Outcome(None)


def hand_over(call: Call, tenant: str, user_id: str) -> Outcome[MemberList]:
    """Make another member an owner; an owner who does this becomes a manager."""
    member = get(call.tx, tenant, user_id)
    heir = users.get(call.tx, member.user_id)
    if heir is None or not heir.is_active:
        raise Conflict("member.disabled", "This member is disabled and cannot become the owner", "choose another member")
    if member.role != Role.OWNER:
        _set_role(call, member, Role.OWNER)
    own_id = call.actor.user_id
    giver = members.get(call.tx, member.tenant_id, own_id) if own_id is not None and own_id != member.user_id else None
    if giver is not None and giver.role == Role.OWNER:
        _set_role(call, giver, Role.MANAGER)
    return Outcome(list_members(call, tenant))


def require_reach(call: Call, role: Role) -> Call:
    """Raises NotAllowed for a role above the caller's own. An owner's role also needs `owner.change` and a fresh code."""
    if role is Role.OWNER:
        call = call.requiring(Permission.OWNER_CHANGE)
        call.actor.need_step_up(call.at)
        return call
    if not call.actor.is_super_admin and (call.actor.role is None or role.rank > call.actor.role.rank):
        raise NotAllowed("member.higher_role", f"The role {role} is above your own", "ask a member who has that role")
    return call


def _set_role(call: Call, member: Member, role: Role) -> None:
    members.put(call.tx, Member(member.tenant_id, member.user_id, role, member.created_at))
    call.record("member.change", member.user_id, member.tenant_id, role=[member.role, role])
    call.emit("member.changed", tenant_id=member.tenant_id, object_id=member.user_id, role=role)


def _remove(call: Call, member: Member, action: str) -> None:
    _require_other_owner(call.tx, member)
    members.remove(call.tx, member.tenant_id, member.user_id)
    call.record(action, member.user_id, member.tenant_id, role=[member.role, None])
    call.emit("member.changed", tenant_id=member.tenant_id, object_id=member.user_id, role=None)


def _require_other_owner(tx: Tx, member: Member) -> None:
    if member.role == Role.OWNER and members.other_owners(tx, member.tenant_id, UserId(member.user_id)) == 0:
        raise Conflict("member.last_owner", "A tenant must keep at least one owner who can sign in", "make another member an owner first")
