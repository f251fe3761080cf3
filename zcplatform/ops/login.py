"""Sign in with a mailed code: request one, enter it. One transaction each; the worker sends the mail, and no request waits for that.

An address without a user, a disabled user and one that had too many codes today cost the same work and get the same response as any other. A try
is counted before the code is compared, in the same transaction.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from zcplatform import clock
from zcplatform.core import login
from zcplatform.core.audit import Entry
from zcplatform.core.login import Limit
from zcplatform.core.mailboxes import canonical
from zcplatform.core.mails import Kind
from zcplatform.errors import BadInput, NotSignedIn, TooMany
from zcplatform.ids import UserId
from zcplatform.ops import mail
from zcplatform.ops.context import Context
from zcplatform.ops.mail import Draft
from zcplatform.store import audit, challenges, outbox, sessions, throttles, users
from zcplatform.store.challenges import Challenge
from zcplatform.store.db import Tx
from zcplatform.vault import keyed_hashes

NOBODY = UserId("")
LONGEST_HELD = 100
TO_STRANGERS, OTHERS = "codes to strangers", "other codes"


@dataclass(frozen=True)
class Visitor:
    """A visitor who signs in: their address, and what their browser holds from earlier sign-ins (empty if nothing)."""

    address: str
    agent: str
    request_id: str
    held_challenge: str = ""
    held_browser: str = ""

    @property
    def network(self) -> str:
        return login.network(self.address)


@dataclass(frozen=True)
class Attempt:
    """One step of signing in, in its transaction."""

    tx: Tx
    context: Context
    visitor: Visitor
    now: datetime

    @property
    def at(self) -> str:
        return clock.text(self.now)


@dataclass(frozen=True)
class NewChallenge:
    """For `user_id` NOBODY the challenge matches no code, and nothing is sent."""

    purpose: str
    kind: Kind
    recipient: str
    user_id: UserId
    lane: str
    session_id: str | None = None


def mailbox(text: str) -> str:
    """The canonical form of an address. Raises BadInput."""
    address = canonical(text)
    if address is None:
        raise BadInput(
            "email.invalid", "This is not an e-mail address", "for example ann@example.com", fields={"email": "is not an address"}
        )
    return address


async def request_code(context: Context, visitor: Visitor, email: str) -> str:
    """Request a code. Returns the secret for the browser's cookie. Raises BadInput, and TooMany for too many requests from one network."""
    recipient, held = mailbox(email), secrets.token_urlsafe(32)

    def write(tx: Tx) -> bool:
        attempt = Attempt(tx, context, visitor, clock.now())
        if not is_within(attempt, "code.request", login.REQUESTS):
            return False
        user = users.by_email(tx, recipient)
        account = user.id if user is not None and user.is_active else NOBODY
        create_challenge(attempt, NewChallenge("login", Kind.LOGIN_CODE, recipient, account, _lane(attempt, account)), held)
        record_attempt(attempt, "code.request", account or "unknown", "done")
        return True

    if not await context.database.write(write):
        raise too_many(login.REQUESTS)
    context.wake("")
    return held


def new_code() -> str:
    """From the system's random source, with leading zeros."""
    return f"{secrets.randbelow(10**login.DIGITS):0{login.DIGITS}}"


def create_challenge(attempt: Attempt, new: NewChallenge, held: str) -> None:
    """Void the challenge it replaces, store the new one, and queue its mail; a decoy where no more may be sent."""
    tx, at, code = attempt.tx, attempt.at, new_code()
    for message in challenges.supersede(tx, _held(attempt), new.purpose, new.user_id, attempt.visitor.network):
        outbox.end(tx, message, "void", at)
    is_sent = _may_send(attempt, new)
    draft = Draft(new.kind, new.recipient, {"code": code}, login.CODE_LIVES, is_decoy=not is_sent)
    message_id = mail.post(tx, attempt.context.seal_public, at, draft)
    row = Challenge(
        id=keyed_hashes.keyed_hash(attempt.context.code_mac, keyed_hashes.CHALLENGE, held),
        purpose=new.purpose,
        user_id=new.user_id if is_sent else None,
        session_id=new.session_id,
        email=new.recipient if new.kind == Kind.EMAIL_CODE else None,
        lane=new.lane,
        network=attempt.visitor.network,
        code_mac=keyed_hashes.code_mac(attempt.context.code_mac, held, code),
        outbox_id=message_id,
        created_at=at,
        expires_at=clock.text(attempt.now + login.CODE_LIVES),
    )
    challenges.insert(tx, row)


def _may_send(attempt: Attempt, new: NewChallenge) -> bool:
    """Counts the code either way, so that a code that is not sent costs the same work."""
    since = clock.text(attempt.now - login.STRANGERS.window)
    earlier = challenges.earlier(attempt.tx, new.user_id, new.lane, clock.text(attempt.now - login.DAY), attempt.at)
    is_stranger = new.lane == login.STRANGER
    strangers = throttles.count(attempt.tx, TO_STRANGERS, since, attempt.at)
    is_sent = login.may_send(earlier, attempt.now) and new.user_id != NOBODY and not (is_stranger and strangers >= login.STRANGERS.most)
    throttles.hit(attempt.tx, TO_STRANGERS if is_sent and is_stranger else OTHERS, attempt.at, since)
    return is_sent


def answered(attempt: Attempt, held: str, code: str, purpose: str, session_id: str | None = None) -> Challenge | None:
    """Return the challenge that this code matches, now used, or None. The try is counted first, so the caller must commit either way."""
    key, held = attempt.context.code_mac, held[:LONGEST_HELD]
    tried = challenges.count_try(attempt.tx, keyed_hashes.keyed_hash(key, keyed_hashes.CHALLENGE, held), purpose, session_id, attempt.at)
    if tried is None:
        return None
    fits = keyed_hashes.same(tried.code_mac, keyed_hashes.code_mac(key, held, code))
    if not fits or tried.user_id is None or not challenges.use(attempt.tx, tried.id):
        return None
    return tried


def is_within(attempt: Attempt, what: str, limit: Limit) -> bool:
    """Count one more for this network. The caller must commit either way."""
    window_began = clock.text(attempt.now - limit.window)
    counted, _ = throttles.hit(attempt.tx, f"{what} {attempt.visitor.network}", attempt.at, window_began)
    return counted <= limit.most


def record_attempt(attempt: Attempt, action: str, subject: str, outcome: str) -> None:
    """An audit entry about someone who is not signed in. Of a flood from one network, one entry counts the rest when the window is over."""
    visitor, at = attempt.visitor, attempt.at
    window_began = clock.text(attempt.now - login.RECORDED.window)
    counted, before = throttles.hit(attempt.tx, f"recorded {action} {outcome} {visitor.network}", at, window_began)
    if before > login.RECORDED.most:
        more = {"more_in_an_hour": [None, before - login.RECORDED.most]}
        audit.append(attempt.tx, Entry(at, "nobody", action, "many", "", "none", visitor.address, outcome, more, visitor.request_id))
    if counted <= login.RECORDED.most:
        audit.append(attempt.tx, Entry(at, "nobody", action, subject, "", "none", visitor.address, outcome, {}, visitor.request_id))


def rejected_code() -> NotSignedIn:
    """The same error for a wrong, used, expired or foreign code, and if no tries are left."""
    return NotSignedIn(
        "code.rejected",
        "The code is wrong, was used, has expired, or was requested in another browser",
        "request a new code and enter it in this browser",
    )


def too_many(limit: Limit) -> TooMany:
    seconds = int(limit.window.total_seconds())
    return TooMany("login.too_many", "Too many requests from your network", f"wait {seconds} seconds", retry_after_s=seconds)


def _held(attempt: Attempt) -> bytes:
    return keyed_hashes.keyed_hash(attempt.context.code_mac, keyed_hashes.CHALLENGE, attempt.visitor.held_challenge[:LONGEST_HELD])


def _lane(attempt: Attempt, user_id: UserId) -> str:
    tx, visitor, now = attempt.tx, attempt.visitor, attempt.now
    browser = keyed_hashes.keyed_hash(attempt.context.code_mac, keyed_hashes.BROWSER, visitor.held_browser[:LONGEST_HELD])
    is_known_browser = sessions.knows_browser(tx, browser, user_id, clock.text(now - login.BROWSER_LIVES))
    is_known_network = sessions.was_used_from(tx, user_id, visitor.network, clock.text(now - login.KNOWN_FOR))
    if is_known_browser:
        return f"browser {browser.hex()[:16]}"
    return f"network {visitor.network}" if is_known_network else login.STRANGER
