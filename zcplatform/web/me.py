"""/api/me: who asks, and in which tenants."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from zcplatform.core.roles import Permission, Role
from zcplatform.ops import context as ops
from zcplatform.ops import users as asking
from zcplatform.ops.context import Actor, Answer
from zcplatform.store import members, users
from zcplatform.store.db import Tx
from zcplatform.web import people_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import as_json
from zcplatform.web.users import shape

router = APIRouter(prefix="/api/me", tags=["me"])


def _me(tx: Tx, actor: Actor) -> shapes.Me:
    user = users.get(tx, actor.user_id) if actor.user_id is not None else None
    return shapes.Me(
        id=actor.id,
        kind=actor.kind.value,
        name=actor.name,
        is_super_admin=actor.is_super_admin,
        scopes=sorted(actor.scopes) if actor.scopes is not None else None,
        user=shape(user) if user is not None else None,
    )


@router.get("", response_model=shapes.Me)
async def show(context: ContextOf, actor: Annotated[Actor, needs(Permission.SELF_READ)]) -> shapes.Me:
    return context.database.read(lambda tx: _me(tx, actor))


@router.patch("", response_model=shapes.Me)
async def change(
    sent: shapes.MeChange, context: ContextOf, actor: Annotated[Actor, needs(Permission.SELF_MANAGE)], retry: RetryKeyOf
) -> Response:
    def act(tx: Tx, at: str) -> Answer:
        asking.rename_self(tx, actor, at, sent.name)
        return Answer(200, _me(tx, actor).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


@router.get("/tenants", response_model=shapes.MyTenants)
async def tenants(context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_READ)]) -> shapes.MyTenants:
    """The tenants one is a member of, each with the role there."""
    found = context.database.read(lambda tx: members.tenants_of(tx, actor.user_id, actor.service_of, str(actor.cap)))
    return shapes.MyTenants(
        items=[
            shapes.MyTenant(
                id=row.id, slug=row.slug, name=row.name, state=row.state, role=min(Role(row.role), actor.cap, key=lambda role: role.rank)
            )
            for row in found
        ]
    )
