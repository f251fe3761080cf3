"""/api/auth: sign in with a mailed code or a link, confirm an operation with a fresh code (step-up), and sign out."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Request, Response

from zcplatform.core import login
from zcplatform.core.roles import Permission
from zcplatform.ops import login as codes
from zcplatform.ops import sessions as asking
from zcplatform.ops.actor import Actor
from zcplatform.ops.context import Context
from zcplatform.ops.login import Asker
from zcplatform.web import cookies
from zcplatform.web import login_shapes as shapes
from zcplatform.web.actor import ContextOf, address_of, needs

router = APIRouter(tags=["sign-in"])
Person = Annotated[Actor, needs(Permission.SELF_MANAGE)]
ASKED = shapes.CodeAsked(
    detail="If somebody signs in with this address, a code is on its way to it", expires_in_s=int(login.CODE_LIVES.total_seconds())
)
NO_MAIL = "No mail server is configured: ask the operator for a link, which `zcplatform admin login-link EMAIL` makes on the host"


def _asker(request: Request, context: Context) -> Asker:
    cookies.check_stranger(request, context)
    return cookies.asker(request, address_of(request), secrets.token_hex(8))


def asker_of(request: Request, actor: Actor) -> Asker:
    return cookies.asker(request, actor.address, actor.request_id)


@router.get("/api/auth/methods", response_model=shapes.Methods)
async def methods(context: ContextOf) -> shapes.Methods:
    """Nothing more is said to strangers."""
    has_mail = context.settings.mail_host is not None
    return shapes.Methods(mail=has_mail, hint="" if has_mail else NO_MAIL)


@router.post("/api/auth/otp/request", status_code=202, response_model=shapes.CodeAsked)
async def request_code(sent: shapes.CodeRequest, request: Request, response: Response, context: ContextOf) -> shapes.CodeAsked:
    """A code by mail, if somebody signs in with this address. The answer is the same if nobody does."""
    cookies.hold(response, await codes.ask(context, _asker(request, context), sent.email))
    response.headers["Cache-Control"] = "no-store"
    return ASKED


@router.post("/api/auth/otp/verify", response_model=shapes.SignedIn)
async def verify_code(sent: shapes.CodeAnswer, request: Request, response: Response, context: ContextOf) -> shapes.SignedIn:
    """Sign in; the session is a cookie."""
    asker = _asker(request, context)
    held = sent.challenge.get_secret_value() if sent.challenge is not None else asker.held_challenge
    return _signed_in(request, response, context, await asking.verify(context, asker, held, sent.code.get_secret_value()))


@router.post("/api/auth/link", response_model=shapes.SignedIn)
async def follow_link(sent: shapes.LinkToken, request: Request, response: Response, context: ContextOf) -> shapes.SignedIn:
    """Sign in with a link that was made on the host."""
    return _signed_in(request, response, context, await asking.follow(context, _asker(request, context), sent.token.get_secret_value()))


def _signed_in(request: Request, response: Response, context: Context, begun: asking.Begun) -> shapes.SignedIn:
    cookies.begin(response, request.app.state.references, begun)
    response.headers["Cache-Control"] = "no-store"
    return shapes.SignedIn(
        user_id=begun.user.id,
        email=begun.user.email,
        session_id=begun.session.id,
        expires_at=begun.session.expires_at,
        idle_s=context.settings.session_idle_s,
    )


@router.post("/api/auth/step-up/request", status_code=202, response_model=shapes.CodeAsked)
async def request_step_up(request: Request, response: Response, context: ContextOf, actor: Person) -> shapes.CodeAsked:
    """A code to your own address, for what needs a fresh one."""
    cookies.hold(response, await asking.ask_step_up(context, actor, asker_of(request, actor)))
    return ASKED


@router.post("/api/auth/step-up/verify", response_model=shapes.SteppedUp)
async def verify_step_up(
    sent: shapes.CodeAnswer, request: Request, response: Response, context: ContextOf, actor: Person
) -> shapes.SteppedUp:
    asker = asker_of(request, actor)
    held = sent.challenge.get_secret_value() if sent.challenge is not None else asker.held_challenge
    at = await asking.step_up(context, actor, asker, held, sent.code.get_secret_value())
    cookies.drop(response, cookies.CHALLENGE)
    return shapes.SteppedUp(stepped_up_at=at)


@router.post("/api/auth/logout", status_code=204, response_class=Response)
async def logout(response: Response, context: ContextOf, actor: Person) -> None:
    """End this session; the next request with it is refused."""
    session_id, _ = asking.signed_in_person(actor)
    await asking.end(context, actor, session_id, "logout")
    cookies.drop(response, cookies.SESSION)
