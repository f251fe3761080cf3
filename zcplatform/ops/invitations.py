"""Invitations: made by who may manage members, accepted once by the person with the address, never above what the inviter may still give."""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from zcplatform import clock
from zcplatform.core.mails import LONGEST_VALUE, Kind
from zcplatform.core.roles import Permission, Rights, Role
from zcplatform.errors import Conflict, NotFound, TooMany
from zcplatform.ids import new_invitation_id
from zcplatform.ops import mail, quotas
from zcplatform.ops import users as people
from zcplatform.ops.access import find
from zcplatform.ops.actor import Actor
from zcplatform.ops.context import Context
from zcplatform.ops.members import reach
from zcplatform.store import audit, events, invitations, members, tenants, users
from zcplatform.store.db import Tx, require
from zcplatform.store.invitations import Invitation
from zcplatform.store.members import Member
from zcplatform.vault.sealing import token_hash

LIVES = timedelta(days=7)
TOKEN_BYTES = 16
MOST_A_DAY, MOST_TO_ONE = 200, 10
"""Of a tenant, and for one address by all tenants: nobody makes this platform write to a stranger all day."""


@dataclass(frozen=True)
class Made:
    """`token` is given to the inviter only where no mail can bring it."""

    invitation: Invitation
    token: str | None


def create(tx: Tx, context: Context, pepper: bytes, actor: Actor, at: str, tenant: str, email: str, role: Role) -> Made:
    """Whoever has the address already is not told to the inviter; a new one gets a user without any rights."""
    row = find(tx, tenant)
    address = people.mailbox(email)
    reach(actor, role, at)
    user = users.by_email(tx, address)
    if user is not None and members.role(tx, row.id, user.id) is not None:
        raise Conflict("member.exists", f"{address} is a member of `{row.slug}` already", "change the role instead")
    quotas.require_room(tx, row, "members", members.count(tx, row.id) + invitations.count_of_others(tx, row.id, address, at) + 1)
    _check_flood(tx, row.id, address, at)
    if user is None:
        made = people.add(tx, address, "", at)
        audit.append(tx, actor.entry(at, "user.create", made.id))  # none of the tenant's: its owners are not told who was there before
    token = secrets.token_urlsafe(TOKEN_BYTES)
    invitation = Invitation(
        id=new_invitation_id(),
        tenant_id=row.id,
        email=address,
        role=role,
        hash=token_hash(pepper, f"invitation:{token}"),
        inviter=actor.author,
        inviter_user_id=actor.user_id or actor.maker_user_id,
        created_at=at,
        expires_at=clock.text(clock.parse(at) + LIVES),
    )
    invitations.insert(tx, invitation)
    audit.append(tx, actor.entry(at, "invitation.create", invitation.id, row.id, role=[None, role]))
    if context.settings.mail_host is None:
        return Made(invitation, token)
    values = {"tenant": _line(row.name), "inviter": _line(actor.author), "role": str(role), "token": token}
    mail.post(tx, context.seal_public, at, Kind.INVITATION, address, values, LIVES)
    return Made(invitation, None)


def revoke(tx: Tx, actor: Actor, at: str, tenant: str, invitation_id: str) -> None:
    row = find(tx, tenant)
    if not invitations.revoke(tx, row.id, invitation_id, at):
        raise NotFound("invitation.unknown", "There is no such open invitation", "GET …/invitations lists them")
    audit.append(tx, actor.entry(at, "invitation.revoke", invitation_id, row.id))


def accept(tx: Tx, pepper: bytes, actor: Actor, at: str, token: str) -> Member:
    """Raises NotFound alike for a token that never was, was used, is too old, or is another's."""
    user = people.person(tx, actor)
    invitation = invitations.open_by_hash(tx, token_hash(pepper, f"invitation:{token}"), at)
    tenant = tenants.get(tx, invitation.tenant_id) if invitation is not None else None
    if invitation is None or tenant is None or tenant.deleted_at is not None or invitation.email != user.email:
        raise NotFound("invitation.unknown", "This invitation was used, has expired, or is not for you", "ask to be invited again")
    role = Role(invitation.role)
    if not _may_still_give(tx, invitation, role):
        raise Conflict("invitation.void", "Who invited you may not do that any more", "ask to be invited again")
    present = members.role(tx, tenant.id, user.id)
    if present is None:
        quotas.require_room(tx, tenant, "members", members.count(tx, tenant.id) + 1)
    invitations.accept(tx, invitation.id, at)
    if present is None or present.rank < role.rank:
        members.put(tx, Member(tenant.id, user.id, role, at))
    audit.append(tx, actor.entry(at, "invitation.accept", invitation.id, tenant.id, role=[present, role]))
    events.append(tx, at, "member.changed", tenant_id=tenant.id, object_id=user.id, role=role)
    return require(members.get(tx, tenant.id, user.id))


def _check_flood(tx: Tx, tenant_id: str, address: str, at: str) -> None:
    day = timedelta(days=1)
    of_tenant, for_address = invitations.count_since(tx, tenant_id, address, clock.text(clock.parse(at) - day))
    if of_tenant >= MOST_A_DAY or for_address >= MOST_TO_ONE:
        raise TooMany(
            "invitation.too_many",
            "Too many invitations within a day, of this tenant or for this address",
            "try again tomorrow",
            retry_after_s=int(day.total_seconds()),
        )


def _line(text: str) -> str:
    """As a mail takes it: names may hold what breaks a line."""
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
