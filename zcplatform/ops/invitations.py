"""Invitations: created by members who may manage members, accepted once by the person with the address.

An invitation never gives more than its sender may still give when it is accepted.
"""

import secrets
from datetime import timedelta

from zcplatform import clock
from zcplatform.core.mails import LONGEST_VALUE, Kind
from zcplatform.core.roles import Permission, Rights, Role
from zcplatform.errors import Conflict, NotFound, TooMany
from zcplatform.ids import new_invitation_id
from zcplatform.ops import mail, quotas
from zcplatform.ops import users as people
from zcplatform.ops.access import find
from zcplatform.ops.context import Call, Outcome
from zcplatform.ops.mail import Draft
from zcplatform.ops.members import require_reach
from zcplatform.ops.views import CreatedInvitation, InvitationView, Joined
from zcplatform.store import invitations, members, tenants, users
from zcplatform.store.db import Tx
from zcplatform.store.invitations import Invitation
from zcplatform.store.members import Member
from zcplatform.vault.sealing import token_hash

LIVES = timedelta(days=7)
TOKEN_BYTES = 16
MOST_A_DAY, MOST_TO_ONE = 200, 10
"""Invitations per day: by one tenant, and to one address by all tenants, so that nobody can be flooded with mail."""


def list_open(call: Call, tenant: str) -> list[InvitationView]:
    return [_view(row) for row in invitations.open_of_tenant(call.tx, find(call.tx, tenant).id, call.at)]


def create(call: Call, tenant: str, email: str, role: Role) -> Outcome[CreatedInvitation]:
    """Invite an address. A new address gets a user without any rights, so the sender does not learn whether it had one already."""
    row = find(call.tx, tenant)
    address = people.mailbox(email)
    call = require_reach(call, role)
    user = users.by_email(call.tx, address)
    if user is not None and members.role(call.tx, row.id, user.id) is not None:
        raise Conflict("member.exists", f"{address} is already a member of `{row.slug}`", "change the role instead")
    expected = members.count(call.tx, row.id) + invitations.count_of_others(call.tx, row.id, address, call.at) + 1
    quotas.require_room(call.tx, row, "members", expected)
    _require_no_flood(call, row.id, address)
    if user is None:
        added = people.add(call.tx, address, "", call.at)
        call.record("user.create", added.id)  # not in the tenant's audit log: its owners must not learn who had a user before
    token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation(
        id=new_invitation_id(),
        tenant_id=row.id,
        email=address,
        role=role,
        hash=_hash(call, token),
        inviter=call.actor.author,
        inviter_user_id=call.actor.user_id or call.actor.maker_user_id,
        created_at=call.at,
        expires_at=clock.text(clock.parse(call.at) + LIVES),
    )
    invitations.insert(call.tx, invitation)
    call.record("invitation.create", invitation.id, row.id, role=[None, role])
    if call.context.settings.mail_host is None:
        return Outcome(CreatedInvitation(_view(invitation), token), "", is_credential=True)
    values = {"tenant": _line(row.name), "inviter": _line(call.actor.author), "role": str(role), "token": token}
    mail.post(call.tx, call.context.seal_public, call.at, Draft(Kind.INVITATION, address, values, LIVES))
    return Outcome(CreatedInvitation(_view(invitation), None), "")


def revoke(call: Call, tenant: str, invitation_id: str) -> Outcome[None]:
    row = find(call.tx, tenant)
    if not invitations.revoke(call.tx, row.id, invitation_id, call.at):
        raise NotFound("invitation.unknown", "There is no such open invitation", "GET /api/tenants/{tenant}/invitations lists them")
    call.record("invitation.revoke", invitation_id, row.id)
    return Outcome(None)


def accept(call: Call, token: str) -> Outcome[Joined]:
    """Raises the same NotFound for a token that is unknown, used, expired or for another address."""
    user = people.person(call)
    invitation = invitations.open_by_hash(call.tx, _hash(call, token), call.at)
    tenant = tenants.get(call.tx, invitation.tenant_id) if invitation is not None else None
    if invitation is None or tenant is None or tenant.deleted_at is not None or invitation.email != user.email:
        raise NotFound("invitation.unknown", "This invitation was used, has expired, or is for another address", "ask for a new invitation")
    role = Role(invitation.role)
    if not _may_still_give(call.tx, invitation, role):
        raise Conflict("invitation.void", "The member who sent this invitation may no longer assign this role", "ask for a new invitation")
    present = members.role(call.tx, tenant.id, user.id)
    if present is None:
        quotas.require_room(call.tx, tenant, "members", members.count(call.tx, tenant.id) + 1)
    invitations.accept(call.tx, invitation.id, call.at)
    if present is None or present.rank < role.rank:
        members.put(call.tx, Member(tenant.id, user.id, role, call.at))
    call.record("invitation.accept", invitation.id, tenant.id, role=[present, role])
    call.emit("member.changed", tenant_id=tenant.id, object_id=user.id, role=role)
    return Outcome(Joined(tenant.id, str(members.role(call.tx, tenant.id, user.id))))


def _require_no_flood(call: Call, tenant_id: str, address: str) -> None:
    day = timedelta(days=1)
    of_tenant, for_address = invitations.count_since(call.tx, tenant_id, address, clock.text(clock.parse(call.at) - day))
    if of_tenant >= MOST_A_DAY or for_address >= MOST_TO_ONE:
        raise TooMany(
            "invitation.too_many",
            "Too many invitations within a day, of this tenant or for this address",
            "try again tomorrow",
            retry_after_s=int(day.total_seconds()),
        )


def _hash(call: Call, token: str) -> bytes:
    return token_hash(call.context.token_pepper, f"invitation:{token}")


def _view(row: Invitation) -> InvitationView:
    return InvitationView(row.id, row.email, row.role, row.inviter, row.created_at, row.expires_at)


def _line(text: str) -> str:
    """One line, as mail needs it: a tenant's name may hold characters that break a line."""
    return "".join(character if character.isprintable() else " " for character in text)[:LONGEST_VALUE]


def _may_still_give(tx: Tx, invitation: Invitation, role: Role) -> bool:
    if invitation.inviter_user_id is None:
        return True
    inviter = users.get(tx, invitation.inviter_user_id)
    if inviter is None or not inviter.is_active:
        return False
    rights = Rights(members.role(tx, invitation.tenant_id, inviter.id), bool(inviter.is_super_admin))
    needed = Permission.OWNER_CHANGE if role is Role.OWNER else Permission.MEMBER_MANAGE
    return rights.allow(needed) and (rights.is_super_admin or (rights.role is not None and role.rank <= rights.role.rank))
