"""/api/tenants/{tenant}/members, …/owner, …/leave, …/invitations, and /api/invitations/accept."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission, Role
from zcplatform.ops import invitations, members
from zcplatform.ops.views import InvitationView, MemberList
from zcplatform.web import people_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.lists import ListQuery, ListQueryOf, page

router = APIRouter(tags=["members"])
Managing = Annotated[Caller, changes(Permission.MEMBER_MANAGE)]
EVERYTHING = ListQuery(limit=10_000)
"""The answer to a change lists all members."""


def _members(found: MemberList, query: ListQuery = EVERYTHING, role: Role | None = None) -> shapes.Members:
    rows = [row for row in found.items if role is None or row.role == role]
    keys = {name: attrgetter(name) for name in ("email", "name", "role", "created_at")}
    shown = page(rows, query, keys, attrgetter("user_id"))
    items = [shapes.Member(**{**row.__dict__, "role": Role(row.role)}) for row in shown.items]
    return shapes.Members(items=items, next_cursor=shown.next_cursor, total=shown.total)


def _invitation(view: InvitationView) -> shapes.Invitation:
    return shapes.Invitation(**{**view.__dict__, "role": Role(view.role)})


@router.get("/api/tenants/{tenant}/members", operation_id="listMembers", summary="List members", response_model=shapes.Members)
async def list_members(
    tenant: str,
    caller: Annotated[Caller, reads(Permission.MEMBER_READ)],
    query: ListQueryOf,
    role: Annotated[Role | None, Query(description="Only members with this role")] = None,
) -> shapes.Members:
    """The people in a tenant with their roles. Sort by email (the default), name, role or created_at."""
    return _members(caller.read(lambda call: members.list_members(call, tenant)), query, role)


@router.post(
    "/api/tenants/{tenant}/members",
    operation_id="inviteMember",
    summary="Invite someone to a tenant",
    response_model=shapes.CreatedInvitation,
    status_code=201,
)
async def invite(tenant: str, sent: shapes.MemberInput, caller: Managing) -> Response:
    """Mails an invitation to the address. It replaces an open invitation for the same address. The role cannot be above your own."""
    created = await caller.change(lambda call: invitations.create(call, tenant, sent.email, sent.role))
    link = f"{caller.context.settings.panel_url}/invitation#token={created.token}" if created.token is not None else None
    return render.respond(shapes.CreatedInvitation(**_invitation(created.invitation).model_dump(), link=link), 201)


@router.patch(
    "/api/tenants/{tenant}/members/{user}", operation_id="updateMember", summary="Change a member's role", response_model=shapes.Members
)
async def change_role(tenant: str, user: str, sent: shapes.RoleChange, caller: Managing) -> Response:
    """Neither the old nor the new role may be above your own. Adding or removing an owner needs `owner.change` and a fresh code."""
    return render.respond(_members(await caller.change(lambda call: members.change_role(call, tenant, user, sent.role))))


@router.delete(
    "/api/tenants/{tenant}/members/{user}", operation_id="removeMember", summary="Remove a member", response_model=shapes.Members
)
async def remove(tenant: str, user: str, caller: Managing) -> Response:
    """Their requests and streams in this tenant end at once."""
    return render.respond(_members(await caller.change(lambda call: members.remove(call, tenant, user))))


@router.post("/api/tenants/{tenant}/leave", operation_id="leaveTenant", summary="Leave a tenant", status_code=204, response_class=Response)
async def leave(tenant: str, caller: Annotated[Caller, changes(Permission.TENANT_READ)]) -> None:
    """Ends your own membership. The last owner cannot leave."""
    await caller.change(lambda call: members.leave(call, tenant))


@router.post("/api/tenants/{tenant}/owner", operation_id="handOverTenant", summary="Hand over a tenant", response_model=shapes.Members)
async def hand_over(
    tenant: str, sent: shapes.OwnerChange, caller: Annotated[Caller, changes(Permission.OWNER_CHANGE, step_up=True)]
) -> Response:
    """Makes another member an owner. If you are an owner yourself, you become a manager."""
    return render.respond(_members(await caller.change(lambda call: members.hand_over(call, tenant, sent.user_id))))


@router.get(
    "/api/tenants/{tenant}/invitations", operation_id="listInvitations", summary="List open invitations", response_model=shapes.Invitations
)
async def list_invitations(
    tenant: str, caller: Annotated[Caller, reads(Permission.MEMBER_MANAGE)], query: ListQueryOf
) -> shapes.Invitations:
    """Those that are neither accepted, revoked nor expired. Sort by email (the default), role, created_at or expires_at."""
    keys = {name: attrgetter(name) for name in ("email", "role", "created_at", "expires_at")}
    found = page(caller.read(lambda call: invitations.list_open(call, tenant)), query, keys, attrgetter("id"))
    return shapes.Invitations(items=[_invitation(view) for view in found.items], next_cursor=found.next_cursor, total=found.total)


@router.delete(
    "/api/tenants/{tenant}/invitations/{invitation}",
    operation_id="revokeInvitation",
    summary="Revoke an invitation",
    status_code=204,
    response_class=Response,
)
async def revoke(tenant: str, invitation: str, caller: Managing) -> None:
    """Its link can no longer be used."""
    await caller.change(lambda call: invitations.revoke(call, tenant, invitation))


@router.post(
    "/api/invitations/accept", operation_id="acceptInvitation", summary="Accept an invitation", response_model=shapes.AcceptedInvitation
)
async def accept(sent: shapes.InvitationToken, caller: Annotated[Caller, changes(Permission.SELF_MANAGE)]) -> Response:
    """Makes you a member. You must be signed in with the invited address; an invitation works once."""
    joined = await caller.change(lambda call: invitations.accept(call, sent.token))
    return render.respond(shapes.AcceptedInvitation(tenant_id=joined.tenant_id, role=Role(joined.role)))
