"""Another address for oneself: whoever holds it signs in as this person, so both mailboxes have their say and both are told.

The old one by a fresh code (the route wants one of the last ten minutes), the new one by a code that is sent to it now.
"""

from datetime import timedelta

from zcplatform import clock
from zcplatform.core.mails import Kind
from zcplatform.ops import access, mail
from zcplatform.ops import login as codes
from zcplatform.ops.context import Actor, Context
from zcplatform.ops.login import NOBODY, Asker, Wanted
from zcplatform.ops.sessions import ask_signed_in, bare_code, end_others, signed_in_person
from zcplatform.ops.users import CHANGED
from zcplatform.store import audit, erasure, users
from zcplatform.store.db import Tx

TOLD_FOR = timedelta(days=1)
"""How long the mail server may be away and the notice is sent all the same."""


async def ask(context: Context, actor: Actor, asker: Asker, email: str) -> str:
    """What the browser is to hold. An address that somebody has gets no mail, and the answer is the same."""
    session_id, user_id = signed_in_person(actor)
    address = codes.mailbox(email)

    def wanted(tx: Tx) -> Wanted:
        recipient = user_id if users.by_email(tx, address) is None else NOBODY
        return Wanted("email", Kind.EMAIL_CODE, address, recipient, f"email {user_id}", session_id)

    return await ask_signed_in(context, actor, asker, session_id, wanted, email=CHANGED)


async def confirm(context: Context, actor: Actor, asker: Asker, held: str, code: str) -> str:
    """The new address. His other sessions, and what was sent to the old address, are good for nothing any more."""
    session_id, user_id = signed_in_person(actor)
    bare = bare_code(code)

    def write(tx: Tx) -> str | None:
        at = clock.text(clock.now())
        access.again(tx, actor, at)
        found = codes.answered(tx, context, held, bare, "email", session_id, at)
        user = users.get(tx, user_id)
        if found is None or found.email is None or user is None or users.by_email(tx, found.email) is not None:
            codes.tell(tx, at, asker, "user.change_email", user_id, "refused")
            return None
        users.readdress(tx, user_id, found.email)
        erasure.leave_address(tx, user_id, user.email, found.email, at)
        end_others(tx, user_id, session_id, at, "the address was changed")
        for recipient in (user.email, found.email):
            mail.post(tx, context.seal_public, at, Kind.EMAIL_CHANGED, recipient, {"old": user.email, "new": found.email}, TOLD_FOR)
        audit.append(tx, actor.entry(at, "user.change_email", user_id, "", email=CHANGED))
        return found.email

    email = await context.database.write(write)
    if email is None:
        raise codes.refused()
    context.wake("")
    return email
