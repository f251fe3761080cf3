"""/api/me: the caller, and the tenants they are a member of."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission, Role
from zcplatform.ops import members, users
from zcplatform.ops.actor import Actor
from zcplatform.ops.views import User
from zcplatform.web import people_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.users import shape

router = APIRouter(prefix="/api/me", tags=["me"])


def _me(actor: Actor, user: User | None) -> shapes.Me:
    return shapes.Me(
        id=actor.id,
        kind=actor.kind,
        name=actor.name,
        is_super_admin=actor.is_super_admin,
        scopes=sorted(actor.scopes) if actor.scopes is not None else None,
        user=shape(user) if user is not None else None,
    )


@router.get("", operation_id="getMe", summary="Show the current user", response_model=shapes.Me)
async def show(caller: Annotated[Caller, reads(Permission.SELF_READ)]) -> shapes.Me:
    """The user or token that sends this request."""
    return _me(caller.actor, caller.read(users.show_self))


@router.patch("", operation_id="updateMe", summary="Change your name", response_model=shapes.Me)
async def change(sent: shapes.MeChange, caller: Annotated[Caller, changes(Permission.SELF_MANAGE)]) -> Response:
    """The name that members of your tenants see."""
    user = await caller.change(lambda call: users.rename_self(call, sent.name))
    return render.respond(_me(caller.actor, user))


@router.get("/tenants", operation_id="listMyTenants", summary="List your tenants", response_model=shapes.MyTenants)
async def tenants(caller: Annotated[Caller, reads(Permission.TENANT_READ)]) -> shapes.MyTenants:
    """The tenants that you are a member of, each with your role there."""
    cap = caller.actor.cap
    return shapes.MyTenants(
        items=[
            shapes.MyTenant(
                id=row.id, slug=row.slug, name=row.name, state=row.state, role=min(Role(row.role), cap, key=lambda role: role.rank)
            )
            for row in caller.read(members.list_own_tenants)
        ]
    )
