"""/api/me/sessions and /api/users/{user}/sessions: list and end sessions."""

from typing import Annotated

from fastapi import APIRouter, Response

from zcplatform import clock
from zcplatform.core.roles import Permission
from zcplatform.ops import sessions as asking
from zcplatform.ops.actor import Actor
from zcplatform.web import cookies
from zcplatform.web import login_shapes as shapes
from zcplatform.web.actor import ContextOf, needs

router = APIRouter(tags=["sign-in"])
Person = Annotated[Actor, needs(Permission.SELF_MANAGE)]
Administrator = Annotated[Actor, needs(Permission.USER_MANAGE)]


@router.get("/api/me/sessions", response_model=shapes.Sessions)
async def listing(context: ContextOf, actor: Person) -> shapes.Sessions:
    """Your own, newest first."""
    rows = context.database.read(lambda tx: asking.own(tx, actor, clock.text(clock.now())))
    return shapes.Sessions(
        items=[
            shapes.Session(
                id=row.id,
                method=row.method,
                address=row.address,
                agent=row.agent,
                created_at=row.created_at,
                last_used_at=row.last_used_at,
                expires_at=row.expires_at,
                stepped_up_at=row.stepped_up_at,
                is_this=row.id == actor.session_id,
            )
            for row in rows
        ]
    )


@router.delete("/api/me/sessions", response_model=shapes.Ended)
async def end_own(response: Response, context: ContextOf, actor: Person) -> shapes.Ended:
    """All of yours, this one too."""
    ended = await asking.end_own(context, actor)
    cookies.drop(response, cookies.SESSION)
    return shapes.Ended(ended=ended)


@router.delete("/api/me/sessions/{session}", status_code=204, response_class=Response)
async def end_one(session: str, context: ContextOf, actor: Person) -> None:
    """One of yours."""
    await asking.end(context, actor, session, "ended by the person")


@router.delete("/api/users/{user}/sessions", response_model=shapes.Ended)
async def end_of_user(user: str, context: ContextOf, actor: Administrator) -> shapes.Ended:
    """All of a user's."""
    return shapes.Ended(ended=await asking.end_of_user(context, actor, user))
