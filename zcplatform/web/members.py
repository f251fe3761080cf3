"""/api/tenants/{tenant}/members, …/owner, …/leave, …/invitations, and the acceptance of an invitation."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response

from zcplatform import clock
from zcplatform.core.roles import Permission, Role
from zcplatform.ops import context as ops
from zcplatform.ops import invitations as inviting
from zcplatform.ops import members as asking
from zcplatform.ops.access import find
from zcplatform.ops.context import Actor, Answer
from zcplatform.store import invitations, members
from zcplatform.store.db import Tx
from zcplatform.web import people_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import as_json

router = APIRouter(tags=["members"])
Managing = Annotated[Actor, needs(Permission.MEMBER_MANAGE)]


def _members(tx: Tx, tenant_id: str) -> shapes.Members:
    return shapes.Members(items=[shapes.Member(**{**row.__dict__, "role": Role(row.role)}) for row in members.people(tx, tenant_id)])


def _invitation(row: invitations.Invitation) -> shapes.Invitation:
    return shapes.Invitation(
        id=row.id, email=row.email, role=Role(row.role), inviter=row.inviter, created_at=row.created_at, expires_at=row.expires_at
    )


@router.get("/api/tenants/{tenant}/members", response_model=shapes.Members)
async def listing(tenant: str, context: ContextOf, _: Annotated[Actor, needs(Permission.MEMBER_READ)]) -> shapes.Members:
    return context.database.read(lambda tx: _members(tx, find(tx, tenant).id))


@router.post("/api/tenants/{tenant}/members", response_model=shapes.InvitationMade, status_code=201)
async def invite(
    tenant: str, sent: shapes.MemberInput, request: Request, context: ContextOf, actor: Managing, retry: RetryKeyOf
) -> Response:
    """Invite an address. An open invitation for it ends; the role can not be above one's own."""
    pepper: bytes = request.app.state.pepper

    def act(tx: Tx, at: str) -> Answer:
        made = inviting.create(tx, context, pepper, actor, at, tenant, sent.email, sent.role)
        link = f"{context.settings.panel_url}/invitation#token={made.token}" if made.token is not None else None
        told = shapes.InvitationMade(**_invitation(made.invitation).model_dump(), link=link)
        return Answer(201, told.model_dump_json(), "", is_credential=link is not None)

    return as_json(await ops.change(context, actor, retry, act))


@router.patch("/api/tenants/{tenant}/members/{user}", response_model=shapes.Members)
async def change_role(tenant: str, user: str, sent: shapes.RoleChange, context: ContextOf, actor: Managing, retry: RetryKeyOf) -> Response:
    """Give another role, neither from nor to one above one's own. To make or unmake an owner needs `owner.change`."""

    def act(tx: Tx, at: str) -> Answer:
        asking.change_role(tx, actor, at, tenant, user, sent.role)
        return Answer(200, _members(tx, find(tx, tenant).id).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


@router.delete("/api/tenants/{tenant}/members/{user}", response_model=shapes.Members)
async def remove(tenant: str, user: str, context: ContextOf, actor: Managing, retry: RetryKeyOf) -> Response:
    def act(tx: Tx, at: str) -> Answer:
        asking.remove(tx, actor, at, tenant, user)
        return Answer(200, _members(tx, find(tx, tenant).id).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


@router.post("/api/tenants/{tenant}/leave", status_code=204)
async def leave(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_READ)], retry: RetryKeyOf) -> Response:
    """Be no member any more. The last owner stays."""

    def act(tx: Tx, at: str) -> Answer:
        asking.leave(tx, actor, at, tenant)
        return Answer(204, "")

    return _empty(await ops.change(context, actor, retry, act))


@router.post("/api/tenants/{tenant}/owner", response_model=shapes.Members)
async def hand_over(
    tenant: str,
    sent: shapes.OwnerChange,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.OWNER_CHANGE, step_up=True)],
    retry: RetryKeyOf,
) -> Response:
    """Make another member the owner; an owner who asks becomes a manager."""

    def act(tx: Tx, at: str) -> Answer:
        asking.hand_over(tx, actor, at, tenant, sent.user_id)
        return Answer(200, _members(tx, find(tx, tenant).id).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


@router.get("/api/tenants/{tenant}/invitations", response_model=shapes.Invitations)
async def open_invitations(tenant: str, context: ContextOf, _: Managing) -> shapes.Invitations:
    return context.database.read(lambda tx: _open(tx, tenant))


@router.delete("/api/tenants/{tenant}/invitations/{invitation}", status_code=204)
async def revoke(tenant: str, invitation: str, context: ContextOf, actor: Managing, retry: RetryKeyOf) -> Response:
    def act(tx: Tx, at: str) -> Answer:
        inviting.revoke(tx, actor, at, tenant, invitation)
        return Answer(204, "")

    return _empty(await ops.change(context, actor, retry, act))


@router.post("/api/invitations/accept", response_model=shapes.Accepted)
async def accept(
    sent: shapes.InvitationToken,
    request: Request,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.SELF_MANAGE)],
    retry: RetryKeyOf,
) -> Response:
    """Become a member, signed in with the invited address. Works once."""
    pepper: bytes = request.app.state.pepper

    def act(tx: Tx, at: str) -> Answer:
        member = inviting.accept(tx, pepper, actor, at, sent.token)
        return Answer(200, shapes.Accepted(tenant_id=member.tenant_id, role=Role(member.role)).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


def _open(tx: Tx, tenant: str) -> shapes.Invitations:
    at = clock.text(clock.now())
    return shapes.Invitations(items=[_invitation(row) for row in invitations.open_of_tenant(tx, find(tx, tenant).id, at)])


def _empty(answer: Answer) -> Response:
    return Response(status_code=answer.status)
