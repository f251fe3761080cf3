"""/api/me/email: change your own e-mail address, confirmed by a code to each of the two addresses."""

from typing import Annotated

from fastapi import APIRouter, Request, Response

from zcplatform.core.roles import Permission
from zcplatform.ops import email_change
from zcplatform.web import cookies
from zcplatform.web import login_shapes as shapes
from zcplatform.web.auth import CODE_SENT, challenge_of, visitor_of
from zcplatform.web.caller import Caller, reads

router = APIRouter(tags=["sign-in"])
Confirmed = Annotated[Caller, reads(Permission.SELF_MANAGE, step_up=True)]


@router.post(
    "/api/me/email", operation_id="requestEmailChange", summary="Change your address", status_code=202, response_model=shapes.CodeSent
)
async def request_email(sent: shapes.EmailChange, request: Request, response: Response, caller: Confirmed) -> shapes.CodeSent:
    """Mails a code to the new address. Enter it to complete the change."""
    cookies.hold(response, await email_change.request(caller, visitor_of(request, caller), sent.email))
    return CODE_SENT


@router.post(
    "/api/me/email/verify", operation_id="confirmEmailChange", summary="Confirm your new address", response_model=shapes.EmailChanged
)
async def verify_email(sent: shapes.CodeAnswer, request: Request, response: Response, caller: Confirmed) -> shapes.EmailChanged:
    """Both addresses are notified, and your other sessions end."""
    visitor = visitor_of(request, caller)
    email = await email_change.confirm(caller, visitor, challenge_of(sent, visitor), sent.code.get_secret_value())
    cookies.drop(response, cookies.CHALLENGE)
    return shapes.EmailChanged(email=email)
