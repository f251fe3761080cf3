"""/api/me/email: change the address that one signs in with, confirmed by a code to each address."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from zcplatform.core.roles import Permission
from zcplatform.ops import email_change
from zcplatform.ops.actor import Actor
from zcplatform.web import cookies
from zcplatform.web import login_shapes as shapes
from zcplatform.web.actor import ContextOf, needs
from zcplatform.web.auth import ASKED, asker_of

router = APIRouter(tags=["sign-in"])


@router.post("/api/me/email", status_code=202, response_model=shapes.CodeAsked)
async def request_email(
    sent: shapes.EmailChange,
    request: Request,
    response: Response,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.SELF_MANAGE, step_up=True)],
) -> shapes.CodeAsked:
    """A code to the address you want to sign in with from now on."""
    cookies.hold(response, await email_change.ask(context, actor, asker_of(request, actor), sent.email))
    return ASKED


@router.post("/api/me/email/verify", response_model=shapes.EmailChanged)
async def verify_email(
    sent: shapes.CodeAnswer,
    request: Request,
    response: Response,
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.SELF_MANAGE, step_up=True)],
) -> shapes.EmailChanged:
    """Both addresses are told; your other sessions end."""
    asker = asker_of(request, actor)
    held = sent.challenge.get_secret_value() if sent.challenge is not None else asker.held_challenge
    email = await email_change.confirm(context, actor, asker, held, sent.code.get_secret_value())
    cookies.drop(response, cookies.CHALLENGE)
    return shapes.EmailChanged(email=email)
