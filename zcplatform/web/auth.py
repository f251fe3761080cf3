"""/api/auth: sign in with a mailed code or a link, confirm an operation with a fresh code (step-up), and sign out."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Request, Response

from zcplatform.core import login
from zcplatform.core.roles import Permission
from zcplatform.ops import login as codes
from zcplatform.ops import sessions
from zcplatform.ops.context import Context
from zcplatform.ops.login import Visitor
from zcplatform.web import cookies
from zcplatform.web import login_shapes as shapes
from zcplatform.web.caller import Caller, ContextOf, address_of, reads

router = APIRouter(tags=["sign-in"])
Person = Annotated[Caller, reads(Permission.SELF_MANAGE)]
CODE_SENT = shapes.CodeSent(
    detail="If this address belongs to a user, a code was sent to it", expires_in_s=int(login.CODE_LIVES.total_seconds())
)
NO_MAIL = "No mail server is configured: ask the operator for a link, which `zcplatform admin login-link EMAIL` creates on the host"


def _visitor(request: Request, context: Context) -> Visitor:
    cookies.require_own_page(request, context)
    return cookies.visitor(request, address_of(request), secrets.token_hex(8))


def visitor_of(request: Request, caller: Caller) -> Visitor:
    return cookies.visitor(request, caller.actor.address, caller.actor.request_id)


def challenge_of(sent: shapes.CodeAnswer, visitor: Visitor) -> str:
    return sent.challenge.get_secret_value() if sent.challenge is not None else visitor.held_challenge


@router.get("/api/auth/methods", operation_id="listSignInMethods", summary="Show how to sign in", response_model=shapes.Methods)
async def methods(context: ContextOf) -> shapes.Methods:
    """The sign-in methods of this installation. Public."""
    has_mail = context.settings.mail_host is not None
    return shapes.Methods(mail=has_mail, hint="" if has_mail else NO_MAIL)


@router.post(
    "/api/auth/otp/request", operation_id="requestCode", summary="Request a sign-in code", status_code=202, response_model=shapes.CodeSent
)
async def request_code(sent: shapes.CodeRequest, request: Request, response: Response, context: ContextOf) -> shapes.CodeSent:
    """Mails a code to the address if it has a user. The answer is the same if it has none."""
    cookies.hold(response, await codes.request_code(context, _visitor(request, context), sent.email))
    response.headers["Cache-Control"] = "no-store"
    return CODE_SENT


@router.post("/api/auth/otp/verify", operation_id="signInWithCode", summary="Sign in with a code", response_model=shapes.SignedIn)
async def verify_code(sent: shapes.CodeAnswer, request: Request, response: Response, context: ContextOf) -> shapes.SignedIn:
    """Starts a session, which is returned as a cookie."""
    visitor = _visitor(request, context)
    begun = await sessions.verify(context, visitor, challenge_of(sent, visitor), sent.code.get_secret_value())
    return _signed_in(request, response, context, begun)


@router.post("/api/auth/link", operation_id="signInWithLink", summary="Sign in with a link", response_model=shapes.SignedIn)
async def follow_link(sent: shapes.LinkToken, request: Request, response: Response, context: ContextOf) -> shapes.SignedIn:
    """Starts a session with a link that was created on the host. A link works once."""
    begun = await sessions.follow(context, _visitor(request, context), sent.token.get_secret_value())
    return _signed_in(request, response, context, begun)


def _signed_in(request: Request, response: Response, context: Context, begun: sessions.Begun) -> shapes.SignedIn:
    cookies.begin(response, request.app.state.references, begun)
    response.headers["Cache-Control"] = "no-store"
    return shapes.SignedIn(
        user_id=begun.user.id,
        email=begun.user.email,
        session_id=begun.session.id,
        expires_at=begun.session.expires_at,
        idle_s=context.settings.session_idle_s,
    )


@router.post(
    "/api/auth/step-up/request",
    operation_id="requestStepUpCode",
    summary="Request a step-up code",
    status_code=202,
    response_model=shapes.CodeSent,
)
async def request_step_up(request: Request, response: Response, caller: Person) -> shapes.CodeSent:
    """Mails a code to your own address, for operations that need a fresh one."""
    cookies.hold(response, await sessions.request_step_up(caller, visitor_of(request, caller)))
    return CODE_SENT


@router.post("/api/auth/step-up/verify", operation_id="stepUp", summary="Confirm with a step-up code", response_model=shapes.SteppedUp)
async def verify_step_up(sent: shapes.CodeAnswer, request: Request, response: Response, caller: Person) -> shapes.SteppedUp:
    """For ten minutes this session may do what needs a fresh code."""
    visitor = visitor_of(request, caller)
    at = await sessions.step_up(caller, visitor, challenge_of(sent, visitor), sent.code.get_secret_value())
    cookies.drop(response, cookies.CHALLENGE)
    return shapes.SteppedUp(stepped_up_at=at)


@router.post("/api/auth/logout", operation_id="signOut", summary="Sign out", status_code=204, response_class=Response)
async def logout(response: Response, caller: Person) -> None:
    """Ends this session. The next request with it is rejected."""
    session_id, _ = sessions.signed_in_person(caller.actor)
    await caller.change(lambda call: sessions.end(call, session_id, "logout"))
    cookies.drop(response, cookies.SESSION)
