"""/api/auth, /api/me/sessions: signing in with a code or a link, going on with a fresh one, and ending sessions."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Request, Response

from zcplatform import clock
from zcplatform.core import login
from zcplatform.core.roles import Permission
from zcplatform.ops import email_change
from zcplatform.ops import login as codes
from zcplatform.ops import sessions as asking
from zcplatform.ops.actor import Actor
from zcplatform.ops.desk import Desk
from zcplatform.ops.login import Asker
from zcplatform.web import login_shapes as shapes
from zcplatform.web import sessions
from zcplatform.web.actor import DeskOf, address_of, needs

router = APIRouter(tags=["sign-in"])
Person = Annotated[Actor, needs(Permission.SELF_MANAGE)]
Administrator = Annotated[Actor, needs(Permission.USER_MANAGE)]
ASKED = shapes.CodeAsked(
    detail="If somebody signs in with this address, a code is on its way to it", expires_in_s=int(login.CODE_LIVES.total_seconds())
)
NO_MAIL = "No mail server is configured: ask the operator for a link, which `zcplatform admin login-link EMAIL` makes on the host"


def _asker(request: Request, desk: Desk) -> Asker:
    sessions.check_stranger(request, desk)
    return sessions.asker(request, address_of(request), secrets.token_hex(8))


def _asker_of(request: Request, actor: Actor) -> Asker:
    return sessions.asker(request, actor.address, actor.request_id)


@router.get("/api/auth/methods", response_model=shapes.Methods)
async def methods(desk: DeskOf) -> shapes.Methods:
    """Nothing more is said to strangers."""
    has_mail = desk.settings.mail_host is not None
    return shapes.Methods(mail=has_mail, hint="" if has_mail else NO_MAIL)


@router.post("/api/auth/otp/request", status_code=202, response_model=shapes.CodeAsked)
async def request_code(sent: shapes.CodeRequest, request: Request, response: Response, desk: DeskOf) -> shapes.CodeAsked:
    """A code by mail, if somebody signs in with this address. The answer is the same if nobody does."""
    sessions.hold(response, await codes.ask(desk, _asker(request, desk), sent.email))
    response.headers["Cache-Control"] = "no-store"
    return ASKED


@router.post("/api/auth/otp/verify", response_model=shapes.SignedIn)
async def verify_code(sent: shapes.CodeAnswer, request: Request, response: Response, desk: DeskOf) -> shapes.SignedIn:
    """Sign in; the session is a cookie."""
    asker = _asker(request, desk)
    held = sent.challenge.get_secret_value() if sent.challenge is not None else asker.held_challenge
    return _signed_in(request, response, desk, await asking.verify(desk, asker, held, sent.code.get_secret_value()))


@router.post("/api/auth/link", response_model=shapes.SignedIn)
async def follow_link(sent: shapes.LinkToken, request: Request, response: Response, desk: DeskOf) -> shapes.SignedIn:
    """Sign in with a link that was made on the host."""
    return _signed_in(request, response, desk, await asking.follow(desk, _asker(request, desk), sent.token.get_secret_value()))


def _signed_in(request: Request, response: Response, desk: Desk, begun: asking.Begun) -> shapes.SignedIn:
    sessions.begin(response, request.app.state.references, begun)
    response.headers["Cache-Control"] = "no-store"
    return shapes.SignedIn(
        user_id=begun.user.id,
        email=begun.user.email,
        session_id=begun.session.id,
        expires_at=begun.session.expires_at,
        idle_s=desk.settings.session_idle_s,
    )


@router.post("/api/auth/step-up/request", status_code=202, response_model=shapes.CodeAsked)
async def request_step_up(request: Request, response: Response, desk: DeskOf, actor: Person) -> shapes.CodeAsked:
    """A code to your own address, for what needs a fresh one."""
    sessions.hold(response, await asking.ask_step_up(desk, actor, _asker_of(request, actor)))
    return ASKED


@router.post("/api/auth/step-up/verify", response_model=shapes.SteppedUp)
async def verify_step_up(sent: shapes.CodeAnswer, request: Request, response: Response, desk: DeskOf, actor: Person) -> shapes.SteppedUp:
    asker = _asker_of(request, actor)
    held = sent.challenge.get_secret_value() if sent.challenge is not None else asker.held_challenge
    at = await asking.step_up(desk, actor, asker, held, sent.code.get_secret_value())
    sessions.drop(response, sessions.CHALLENGE)
    return shapes.SteppedUp(stepped_up_at=at)


@router.post("/api/me/email", status_code=202, response_model=shapes.CodeAsked)
async def request_email(
    sent: shapes.EmailChange,
    request: Request,
    response: Response,
    desk: DeskOf,
    actor: Annotated[Actor, needs(Permission.SELF_MANAGE, step_up=True)],
) -> shapes.CodeAsked:
    """A code to the address you want to sign in with from now on."""
    sessions.hold(response, await email_change.ask(desk, actor, _asker_of(request, actor), sent.email))
    return ASKED


@router.post("/api/me/email/verify", response_model=shapes.EmailChanged)
async def verify_email(
    sent: shapes.CodeAnswer,
    request: Request,
    response: Response,
    desk: DeskOf,
    actor: Annotated[Actor, needs(Permission.SELF_MANAGE, step_up=True)],
) -> shapes.EmailChanged:
    """Both addresses are told; your other sessions end."""
    asker = _asker_of(request, actor)
    held = sent.challenge.get_secret_value() if sent.challenge is not None else asker.held_challenge
    email = await email_change.confirm(desk, actor, asker, held, sent.code.get_secret_value())
    sessions.drop(response, sessions.CHALLENGE)
    return shapes.EmailChanged(email=email)


@router.post("/api/auth/logout", status_code=204, response_class=Response)
async def logout(response: Response, desk: DeskOf, actor: Person) -> None:
    """End this session; the next request with it is refused."""
    session_id, _ = asking.signed_in_person(actor)
    await asking.end(desk, actor, session_id, "logout")
    sessions.drop(response, sessions.SESSION)


@router.get("/api/me/sessions", response_model=shapes.Sessions)
async def listing(desk: DeskOf, actor: Person) -> shapes.Sessions:
    """Your own, newest first."""
    rows = desk.database.read(lambda tx: asking.own(tx, actor, clock.text(clock.now())))
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
async def end_own(response: Response, desk: DeskOf, actor: Person) -> shapes.Ended:
    """All of yours, this one too."""
    ended = await asking.end_own(desk, actor)
    sessions.drop(response, sessions.SESSION)
    return shapes.Ended(ended=ended)


@router.delete("/api/me/sessions/{session}", status_code=204, response_class=Response)
async def end_one(session: str, desk: DeskOf, actor: Person) -> None:
    """One of yours."""
    await asking.end(desk, actor, session, "ended by the person")


@router.delete("/api/users/{user}/sessions", response_model=shapes.Ended)
async def end_of_user(user: str, desk: DeskOf, actor: Administrator) -> shapes.Ended:
    """All of a user's."""
    return shapes.Ended(ended=await asking.end_of_user(desk, actor, user))
