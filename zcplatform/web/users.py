"""/api/users: users of the installation, for super-admins."""

from operator import attrgetter
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.ops import users
from zcplatform.ops.views import User, UserView
from zcplatform.web import people_shapes as shapes
from zcplatform.web import render
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.lists import ListQueryOf, page

router = APIRouter(prefix="/api/users", tags=["users"])
Reading = Annotated[Caller, reads(Permission.USER_MANAGE)]
Managing = Annotated[Caller, changes(Permission.USER_MANAGE)]


def shape(row: User) -> shapes.User:
    return shapes.User(
        id=row.id,
        email=row.email,
        name=row.name,
        is_super_admin=bool(row.is_super_admin),
        disabled_at=row.disabled_at,
        created_at=row.created_at,
    )


def _shape_of_one(view: UserView) -> shapes.OneUser:
    return shapes.OneUser(**shape(view.user).model_dump(), only_owner_of=view.only_owner_of)


@router.get("", operation_id="listUsers", summary="List users", response_model=shapes.Users)
async def list_users(
    caller: Reading,
    query: ListQueryOf,
    is_super_admin: Annotated[bool | None, Query(description="Only super-admins, or only others")] = None,
    disabled: Annotated[bool | None, Query(description="Only disabled users, or only others")] = None,
) -> shapes.Users:
    """Sort by email (the default), name or created_at."""
    rows = caller.read(users.list_users)
    rows = [row for row in rows if is_super_admin is None or bool(row.is_super_admin) == is_super_admin]
    rows = [row for row in rows if disabled is None or (row.disabled_at is not None) == disabled]
    keys = {name: attrgetter(name) for name in ("email", "name", "created_at")}
    found = page(rows, query, keys, attrgetter("id"))
    return shapes.Users(items=[shape(row) for row in found.items], next_cursor=found.next_cursor, total=found.total)


@router.post("", operation_id="createUser", summary="Add a user", response_model=shapes.User, status_code=201)
async def create(sent: shapes.UserInput, caller: Managing) -> Response:
    """Adds a person who may sign in. To give them a tenant, invite them to it."""
    row = await caller.change(lambda call: users.create(call, sent.email, sent.name, is_super_admin=sent.is_super_admin))
    return render.respond(shape(row), 201, f"/api/users/{row.id}")


@router.get("/{user}", operation_id="getUser", summary="Show a user", response_model=shapes.OneUser)
async def show(user: str, caller: Reading) -> shapes.OneUser:
    """By id or address, with the tenants that have no other owner."""
    return _shape_of_one(caller.read(lambda call: users.show(call, user)))


@router.patch("/{user}", operation_id="updateUser", summary="Change, disable or enable a user", response_model=shapes.OneUser)
async def change(user: str, sent: shapes.UserChange, caller: Managing) -> Response:
    """A disabled user's sessions, requests and streams end at once. The last super-admin cannot be disabled or demoted.

    A tenant's only owner may be disabled: `only_owner_of` shows which tenants a super-admin should then hand over.
    """
    wanted = users.Changes(sent.name, sent.disabled, sent.is_super_admin)
    return render.respond(_shape_of_one(await caller.change(lambda call: users.change(call, user, wanted))))


@router.delete("/{user}", operation_id="deleteUser", summary="Delete a user", status_code=204, response_class=Response)
async def remove(user: str, caller: Annotated[Caller, changes(Permission.USER_MANAGE, step_up=True)]) -> None:
    """Permanent: sessions, tokens, memberships and invitations end, and the address is erased from all rows. The audit log keeps the id.

    The last super-admin and a tenant's only owner cannot be deleted.
    """
    await caller.change(lambda call: users.delete(call, user))
