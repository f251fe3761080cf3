"""Change one's own e-mail address. Who can read a mailbox can sign in as its user, so both mailboxes confirm, and both are notified.

The old one by a fresh code (the route requires one of the last ten minutes), the new one by a code that is mailed to it now.
"""

from datetime import timedelta

from zcplatform import clock
from zcplatform.core.mails import Kind
from zcplatform.ops import access, mail
from zcplatform.ops import login as codes
from zcplatform.ops.context import Caller
from zcplatform.ops.login import NOBODY, Attempt, NewChallenge, Visitor
from zcplatform.ops.mail import Draft
from zcplatform.ops.sessions import bare_code, end_others, request_code, signed_in_person
from zcplatform.ops.users import CHANGED
from zcplatform.store import audit, erasure, users
from zcplatform.store.db import Tx

NOTICE_LIVES = timedelta(days=1)
"""How long a notice may wait for a mail server that is down."""


async def request(caller: Caller, visitor: Visitor, email: str) -> str:
    """Returns the secret for the browser's cookie. An address that already has a user gets no mail, but the response is the same."""
    session_id, user_id = signed_in_person(caller.actor)
    address = codes.mailbox(email)

    def new(tx: Tx) -> NewChallenge:
        recipient = user_id if users.by_email(tx, address) is None else NOBODY
        return NewChallenge("email", Kind.EMAIL_CODE, address, recipient, f"email {user_id}", session_id)

    return await request_code(caller, visitor, session_id, new, email=CHANGED)


async def confirm(caller: Caller, visitor: Visitor, held: str, code: str) -> str:
    """Returns the new address. The person's other sessions end, and codes and links sent to the old address are void."""
    session_id, user_id = signed_in_person(caller.actor)
    bare = bare_code(code)

    def write(tx: Tx) -> str | None:
        attempt = Attempt(tx, caller.context, visitor, clock.now())
        at = attempt.at
        access.confirm(tx, caller.actor, at)
        found = codes.answered(attempt, held, bare, "email", session_id)
        user = users.get(tx, user_id)
        if found is None or found.email is None or user is None or users.by_email(tx, found.email) is not None:
            codes.record_attempt(attempt, "user.change_email", user_id, "refused")
            return None
        users.readdress(tx, user_id, found.email)
        erasure.leave_address(tx, user_id, user.email, found.email, at)
        end_others(tx, user_id, session_id, at, "the address was changed")
        for recipient in (user.email, found.email):
            values = {"old": user.email, "new": found.email}
            mail.post(tx, caller.context.seal_public, at, Draft(Kind.EMAIL_CHANGED, recipient, values, NOTICE_LIVES))
        audit.append(tx, caller.actor.entry(at, "user.change_email", user_id, "", email=CHANGED))
        return found.email

    email = await caller.context.database.write(write)
    if email is None:
        raise codes.rejected_code()
    caller.context.wake("")
    return email
