"""Sessions: started with a code or a link, confirmed with another code, and ended by the user, an administrator, or time."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from zcplatform import clock
from zcplatform.core import login
from zcplatform.core.audit import Entry
from zcplatform.core.mails import Kind
from zcplatform.errors import BadInput, Conflict, NotFound, NotSignedIn
from zcplatform.ids import UserId, new_session_id
from zcplatform.ops import access
from zcplatform.ops import login as codes
from zcplatform.ops.actor import Actor
from zcplatform.ops.context import Call, Caller, Context, Outcome
from zcplatform.ops.login import Attempt, NewChallenge, Visitor
from zcplatform.ops.views import Ended
from zcplatform.store import audit, login_links, outbox, sessions, users
from zcplatform.store.challenges import void_of_user
from zcplatform.store.db import Tx
from zcplatform.store.sessions import Session as Session
from zcplatform.store.users import User
from zcplatform.vault import keyed_hashes

LONGEST_AGENT = 200
USED_EVERY = timedelta(minutes=1)
"""Resolution of the time of last use."""


@dataclass(frozen=True)
class Begun:
    """A new session, and the secret that identifies its browser at later sign-ins."""

    session: Session
    user: User
    browser: str


async def verify(context: Context, visitor: Visitor, held: str, code: str) -> Begun:
    """Raises NotSignedIn for a code that does not fit, BadInput for a text that is not a code, TooMany for too many tries from one network."""
    bare = bare_code(code)

    def write(tx: Tx) -> Begun | NotSignedIn | None:
        attempt = Attempt(tx, context, visitor, clock.now())
        if not codes.is_within(attempt, "code.verify", login.VERIFIES):
            return None
        challenge = codes.answered(attempt, held, bare, "login")
        user = users.get(tx, challenge.user_id) if challenge is not None and challenge.user_id is not None else None
        if user is None or not user.is_active:
            codes.record_attempt(attempt, "session.start", "unknown", "refused")
            return codes.rejected_code()
        return _begin(attempt, user, "code")

    return _result(await context.database.write(write), login.VERIFIES)


async def follow(context: Context, visitor: Visitor, token: str) -> Begun:
    """Sign in with a link created on the host. Raises NotSignedIn if it was used, has expired, or never existed."""

    def write(tx: Tx) -> Begun | NotSignedIn | None:
        attempt = Attempt(tx, context, visitor, clock.now())
        if not codes.is_within(attempt, "link.follow", login.LINKS):
            return None
        user_id = login_links.use(tx, keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.LINK, token), attempt.at)
        user = users.get(tx, user_id) if user_id is not None else None
        if user is None or not user.is_active:
            codes.record_attempt(attempt, "session.start", "unknown", "refused")
            return NotSignedIn(
                "link.rejected", "This link was used or has expired", "zcplatform admin login-link EMAIL creates a new one, on the host"
            )
        return _begin(attempt, user, "link")

    return _result(await context.database.write(write), login.LINKS)


def _result(begun: Begun | NotSignedIn | None, limit: login.Limit) -> Begun:
    """The tries are counted and committed before an error is raised here."""
    if begun is None:
        raise codes.too_many(limit)
    if isinstance(begun, NotSignedIn):
        raise begun
    return begun


def _begin(attempt: Attempt, user: User, method: str) -> Begun:
    """Start a session, always with a new id, so that one planted in the browser is useless. It counts as just confirmed with a code."""
    at, visitor = attempt.at, attempt.visitor
    browser = _remember_browser(attempt, user.id)
    session = Session(
        id=new_session_id(),
        user_id=user.id,
        method=method,
        address=visitor.address,
        network=visitor.network,
        agent=_line(visitor.agent),
        created_at=at,
        last_used_at=at,
        idle_until=clock.text(attempt.now + timedelta(seconds=attempt.context.settings.session_idle_s)),
        expires_at=clock.text(attempt.now + login.SESSION_LIVES),
        stepped_up_at=at,
    )
    sessions.insert(attempt.tx, session)
    changes = {"method": [None, method]}
    audit.append(
        attempt.tx,
        Entry(at, user.id, "session.start", session.id, "", "user", visitor.address, "done", changes, visitor.request_id),
    )
    return Begun(session, user, browser)


def _remember_browser(attempt: Attempt, user_id: UserId) -> str:
    """Keep the browser's secret only if it belongs to this user. Another user's would mix their lanes."""
    tx, key = attempt.tx, attempt.context.code_mac
    held = attempt.visitor.held_browser[: codes.LONGEST_HELD]
    hashed = keyed_hashes.keyed_hash(key, keyed_hashes.BROWSER, held)
    if not sessions.knows_browser(tx, hashed, user_id, clock.text(attempt.now - login.BROWSER_LIVES)):
        held = secrets.token_urlsafe(32)
        hashed = keyed_hashes.keyed_hash(key, keyed_hashes.BROWSER, held)
    sessions.keep_browser(tx, hashed, user_id, attempt.at)
    return held


def active(context: Context, session_id: str) -> Session | None:
    at = clock.text(clock.now())
    return context.database.read(lambda tx: sessions.active(tx, session_id, at))


async def record_use(context: Context, session: Session) -> None:
    """Store when it was last used, at most once a minute. No audit entry: it is not a change."""
    now, idle = clock.now(), timedelta(seconds=context.settings.session_idle_s)
    if session.last_used_at < clock.text(now - min(USED_EVERY, idle / 4)):
        await context.database.write(lambda tx: sessions.used(tx, session.id, clock.text(now), clock.text(now + idle)))


async def request_step_up(caller: Caller, visitor: Visitor) -> str:
    """Mail a code to the signed-in user's own address. Returns the secret for the browser's cookie."""
    session_id, user_id = signed_in_person(caller.actor)
    new = NewChallenge("step_up", Kind.STEP_UP_CODE, caller.actor.name, user_id, f"session {session_id}", session_id)
    return await request_code(caller, visitor, session_id, lambda _: new)


async def request_code(caller: Caller, visitor: Visitor, session_id: str, new: Callable[[Tx], NewChallenge], **changes: object) -> str:
    """Mail a code that confirms an action of a signed-in user. Returns the secret for the browser's cookie. Raises TooMany."""
    held = secrets.token_urlsafe(32)

    def write(tx: Tx) -> bool:
        attempt = Attempt(tx, caller.context, visitor, clock.now())
        access.confirm(tx, caller.actor, attempt.at)
        if not codes.is_within(attempt, "code.request", login.REQUESTS):
            return False
        codes.create_challenge(attempt, new(tx), held)
        audit.append(tx, caller.actor.entry(attempt.at, "code.request", session_id, "", **changes))
        return True

    if not await caller.context.database.write(write):
        raise codes.too_many(login.REQUESTS)
    caller.context.wake("")
    return held


async def step_up(caller: Caller, visitor: Visitor, held: str, code: str) -> str:
    """Returns when the session was confirmed. Raises NotSignedIn for a code that does not fit."""
    session_id, user_id = signed_in_person(caller.actor)
    bare = bare_code(code)

    def write(tx: Tx) -> str | None:
        attempt = Attempt(tx, caller.context, visitor, clock.now())
        access.confirm(tx, caller.actor, attempt.at)
        challenge = codes.answered(attempt, held, bare, "step_up", session_id)
        if challenge is None or challenge.user_id != user_id:
            codes.record_attempt(attempt, "session.step_up", user_id, "refused")
            return None
        sessions.stepped_up(tx, session_id, attempt.at)
        audit.append(tx, caller.actor.entry(attempt.at, "session.step_up", session_id))
        return attempt.at

    at = await caller.context.database.write(write)
    if at is None:
        raise codes.rejected_code()
    return at


def list_own(call: Call) -> list[Session]:
    return sessions.of_user(call.tx, _person(call.actor), call.at)


def end(call: Call, session_id: str, reason: str) -> Outcome[None]:
    """End one of the caller's own sessions. Raises NotFound for any other."""
    if not sessions.end(call.tx, session_id, _person(call.actor), call.at, reason):
        raise NotFound("session.unknown", "You have no such session", "GET /api/me/sessions lists yours")
    call.record("session.end", session_id, "", reason=reason)
    return Outcome(None)


def end_own(call: Call) -> Outcome[Ended]:
    """End all of the caller's sessions, including this one."""
    return _end_all(call, _person(call.actor), "ended by the person")


def end_of_user(call: Call, user_id: str) -> Outcome[Ended]:
    return _end_all(call, UserId(user_id), "ended by an administrator")


def _end_all(call: Call, user_id: UserId, reason: str) -> Outcome[Ended]:
    if users.get(call.tx, user_id) is None:
        raise NotFound("user.unknown", "There is no such user", "GET /api/users lists them")
    ended = end_everything(call.tx, user_id, call.at, reason)
    call.record("session.end_all", user_id, "", sessions=[ended, 0])
    return Outcome(Ended(ended))


def end_everything(tx: Tx, user_id: UserId, at: str, reason: str) -> int:
    """End everything that signs this user in: sessions, mailed codes and unused links. Returns how many sessions ended."""
    return end_others(tx, user_id, "", at, reason)


def end_others(tx: Tx, user_id: UserId, kept: str, at: str, reason: str) -> int:
    """The same, except for the session `kept`."""
    for message in void_of_user(tx, user_id):
        outbox.end(tx, message, "void", at)
    login_links.void_of_user(tx, user_id, at)
    return sessions.end_all(tx, user_id, at, reason, kept)


def signed_in_person(actor: Actor) -> tuple[str, UserId]:
    """(session, user). Raises Conflict for a token, which has no session."""
    if actor.session_id is None or actor.user_id is None:
        raise Conflict("session.none", "A token has no session", "sign in as a person")
    return actor.session_id, actor.user_id


def _person(actor: Actor) -> UserId:
    if actor.user_id is None:
        raise Conflict("session.none", "A token created on the host has no sessions", "sign in as a person")
    return actor.user_id


def bare_code(code: str) -> str:
    """Return the digits. Raises BadInput for a text that cannot be a code."""
    bare = login.typed(code)
    if bare is None:
        raise BadInput(
            "code.invalid", f"A code has {login.DIGITS} digits", "enter it as it appears in the message", fields={"code": "is not a code"}
        )
    return bare


def _line(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_AGENT]
