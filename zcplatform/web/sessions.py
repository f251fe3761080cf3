"""/api/me/sessions and /api/users/{user}/sessions: list and end sessions."""

from typing import Annotated

from fastapi import APIRouter, Response

from zcplatform.core.roles import Permission
from zcplatform.ops import sessions
from zcplatform.web import cookies
from zcplatform.web import login_shapes as shapes
from zcplatform.web.caller import Caller, reads

router = APIRouter(tags=["sign-in"])
Person = Annotated[Caller, reads(Permission.SELF_MANAGE)]


@router.get("/api/me/sessions", operation_id="listMySessions", summary="List your sessions", response_model=shapes.Sessions)
async def list_own(caller: Person) -> shapes.Sessions:
    """Your active sessions, newest first."""
    return shapes.Sessions(
        items=[
            shapes.Session(
                id=row.id,
                method=row.method,  # type: ignore[arg-type]
                address=row.address,
                agent=row.agent,
                created_at=row.created_at,
                last_used_at=row.last_used_at,
                expires_at=row.expires_at,
                stepped_up_at=row.stepped_up_at,
                is_this=row.id == caller.actor.session_id,
            )
            for row in caller.read(sessions.list_own)
        ]
    )


@router.delete("/api/me/sessions", operation_id="endMySessions", summary="End all your sessions", response_model=shapes.Ended)
async def end_own(response: Response, caller: Person) -> shapes.Ended:
    """Including this one."""
    ended = await caller.change(sessions.end_own)
    cookies.drop(response, cookies.SESSION)
    return shapes.Ended(ended=ended.ended)


@router.delete(
    "/api/me/sessions/{session}", operation_id="endMySession", summary="End one of your sessions", status_code=204, response_class=Response
)
async def end_one(session: str, caller: Person) -> None:
    """The next request with it is rejected."""
    await caller.change(lambda call: sessions.end(call, session, "ended by the person"))


@router.delete("/api/users/{user}/sessions", operation_id="endUserSessions", summary="End a user's sessions", response_model=shapes.Ended)
async def end_of_user(user: str, caller: Annotated[Caller, reads(Permission.USER_MANAGE)]) -> shapes.Ended:
    """All of them. The user can sign in again."""
    return shapes.Ended(ended=(await caller.change(lambda call: sessions.end_of_user(call, user))).ended)
