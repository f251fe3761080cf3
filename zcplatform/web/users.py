"""/api/users: for super-admins."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import context as ops
from zcplatform.ops import users as asking
from zcplatform.ops.context import Actor, Answer
from zcplatform.store import members
from zcplatform.store import users as rows
from zcplatform.store.db import Tx
from zcplatform.web import people_shapes as shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs
from zcplatform.web.tenants import Limit, as_json

router = APIRouter(prefix="/api/users", tags=["users"])


def shape(row: rows.User) -> shapes.User:
    return shapes.User(
        id=row.id,
        email=row.email,
        name=row.name,
        is_super_admin=bool(row.is_super_admin),
        disabled_at=row.disabled_at,
        created_at=row.created_at,
    )


def shape_of_one(tx: Tx, row: rows.User) -> shapes.OneUser:
    return shapes.OneUser(**shape(row).model_dump(), only_owner_of=members.owned_alone(tx, row.id))


@router.get("", response_model=shapes.Users)
async def listing(
    context: ContextOf,
    _: Annotated[Actor, needs(Permission.USER_MANAGE)],
    cursor: Annotated[str, Query(max_length=254)] = "",
    limit: Limit = 100,
) -> shapes.Users:
    found = context.database.read(lambda tx: rows.page(tx, cursor, limit))
    return shapes.Users(items=[shape(row) for row in found], next_cursor=found[-1].email if len(found) == limit else None)


@router.post("", response_model=shapes.User, status_code=201)
async def create(
    sent: shapes.UserInput, context: ContextOf, actor: Annotated[Actor, needs(Permission.USER_MANAGE)], retry: RetryKeyOf
) -> Response:
    """A person who may sign in from now on. To be let into a tenant he is invited there."""

    def act(tx: Tx, at: str) -> Answer:
        return Answer(201, shape(asking.create(tx, actor, at, sent.email, sent.name, is_super_admin=sent.is_super_admin)).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


@router.get("/{user}", response_model=shapes.OneUser)
async def show(user: str, context: ContextOf, _: Annotated[Actor, needs(Permission.USER_MANAGE)]) -> shapes.OneUser:
    return context.database.read(lambda tx: shape_of_one(tx, asking.get(tx, user)))


@router.patch("/{user}", response_model=shapes.OneUser)
async def change(
    user: str, sent: shapes.UserChange, context: ContextOf, actor: Annotated[Actor, needs(Permission.USER_MANAGE)], retry: RetryKeyOf
) -> Response:
    """Disable, enable, make a super-admin or no more. The last super-admin stays; a disabled user's requests and streams end at once.

    A tenant's only owner may be disabled: `only_owner_of` tells which tenants then wait for a super-admin to hand them over.
    """
    wish = asking.Changes(sent.name, sent.disabled, sent.is_super_admin)

    def act(tx: Tx, at: str) -> Answer:
        return Answer(200, shape_of_one(tx, asking.change(tx, actor, at, user, wish)).model_dump_json())

    return as_json(await ops.change(context, actor, retry, act))


@router.delete("/{user}", status_code=204)
async def remove(
    user: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.USER_MANAGE, step_up=True)], retry: RetryKeyOf
) -> Response:
    """For good: sessions, tokens, memberships and invitations end, the address is taken out of all rows; the audit log keeps the id.

    The last super-admin and a tenant's only owner stay.
    """

    def act(tx: Tx, at: str) -> Answer:
        asking.delete(tx, actor, at, user)
        return Answer(204, "")

    return Response(status_code=(await ops.change(context, actor, retry, act)).status)
