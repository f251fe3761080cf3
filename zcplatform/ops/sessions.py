"""Sessions: begun with a code or a link, made fresh by another code, ended by the person, by an administrator, or by time."""

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
from zcplatform.ops.context import Actor, Context
from zcplatform.ops.login import Asker, Wanted, within
from zcplatform.store import audit, login_links, outbox, sessions, users
from zcplatform.store.challenges import void_of_user
from zcplatform.store.db import Tx
from zcplatform.store.sessions import Session
from zcplatform.store.users import User
from zcplatform.vault import keyed_hashes

LONGEST_AGENT = 200


@dataclass(frozen=True)
class Begun:
    """A new session, and what its browser is to hold so that it is known again."""

    session: Session
    user: User
    browser: str


async def verify(context: Context, asker: Asker, held: str, code: str) -> Begun:
    """Raises NotSignedIn for a code that does not fit, BadInput for what is none, TooMany for too many from one network."""
    bare = bare_code(code)

    def write(tx: Tx) -> Begun | NotSignedIn | None:
        now = clock.now()
        at = clock.text(now)
        if not within(tx, "code.verify", asker, login.VERIFIES, now):
            return None
        challenge = codes.answered(tx, context, held, bare, "login", None, at)
        user = users.get(tx, challenge.user_id) if challenge is not None and challenge.user_id is not None else None
        if user is None or not user.is_active:
            codes.tell(tx, at, asker, "session.start", "unknown", "refused")
            return codes.refused()
        return _begin(tx, context, asker, user, "code", at)

    return _outcome(await context.database.write(write), login.VERIFIES)


async def follow(context: Context, asker: Asker, token: str) -> Begun:
    """A link from the host. Raises NotSignedIn when it was used, is too old, or never was."""

    def write(tx: Tx) -> Begun | NotSignedIn | None:
        now = clock.now()
        at = clock.text(now)
        if not within(tx, "link.follow", asker, login.LINKS, now):
            return None
        user_id = login_links.use(tx, keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.LINK, token), at)
        user = users.get(tx, user_id) if user_id is not None else None
        if user is None or not user.is_active:
            codes.tell(tx, at, asker, "session.start", "unknown", "refused")
            return NotSignedIn(
                "link.refused", "This link was used, or is too old", "zcplatform admin login-link EMAIL makes one on the host"
            )
        return _begin(tx, context, asker, user, "link", at)

    return _outcome(await context.database.write(write), login.LINKS)


def _outcome(told: Begun | NotSignedIn | None, limit: login.Limit) -> Begun:
    if told is None:
        raise codes.too_many(limit)
    if isinstance(told, NotSignedIn):
        raise told
    return told


def _begin(tx: Tx, context: Context, asker: Asker, user: User, method: str, at: str) -> Begun:
    """Always a new id, whatever the browser brought: nobody can plant a session. The proof is as fresh as a code can be."""
    now = clock.parse(at)
    browser = _browser(tx, context, asker, user.id, at)
    session = Session(
        id=new_session_id(),
        user_id=user.id,
        method=method,
        address=asker.address,
        network=asker.network,
        agent=_line(asker.agent),
        created_at=at,
        last_used_at=at,
        idle_until=clock.text(now + timedelta(seconds=context.settings.session_idle_s)),
        expires_at=clock.text(now + login.SESSION_LIVES),
        stepped_up_at=at,
    )
    sessions.insert(tx, session)
    changes = {"method": [None, method]}
    audit.append(
        tx,
        Entry(at, user.id, "session.start", session.id, "", "user", asker.address, "done", changes, asker.request_id),
    )
    return Begun(session, user, browser)


def _browser(tx: Tx, context: Context, asker: Asker, user_id: UserId, at: str) -> str:
    """What the browser holds already counts only if it is this person's: another's would let that one into his lane."""
    held = asker.held_browser[: codes.LONGEST_HELD]
    hashed = keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.BROWSER, held)
    if not sessions.knows_browser(tx, hashed, user_id, clock.text(clock.parse(at) - login.BROWSER_LIVES)):
        held = secrets.token_urlsafe(32)
        hashed = keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.BROWSER, held)
    sessions.keep_browser(tx, hashed, user_id, at)
    return held


async def ask_step_up(context: Context, actor: Actor, asker: Asker) -> str:
    """A code to the signed-in person's own address; gives what the browser is to hold."""
    session_id, user_id = signed_in_person(actor)
    wanted = Wanted("step_up", Kind.STEP_UP_CODE, actor.name, user_id, f"session {session_id}", session_id)
    return await ask_signed_in(context, actor, asker, session_id, lambda _: wanted)


async def ask_signed_in(
    context: Context, actor: Actor, asker: Asker, session_id: str, wanted: Callable[[Tx], Wanted], **changes: object
) -> str:
    """Send a code for something a signed-in person is about to do; gives what the browser is to hold. Raises TooMany."""
    held = secrets.token_urlsafe(32)

    def write(tx: Tx) -> bool:
        now = clock.now()
        at = clock.text(now)
        access.again(tx, actor, at)
        if not within(tx, "code.request", asker, login.REQUESTS, now):
            return False
        codes.challenge(tx, context, asker, wanted(tx), held, now)
        audit.append(tx, actor.entry(at, "code.request", session_id, "", **changes))
        return True

    if not await context.database.write(write):
        raise codes.too_many(login.REQUESTS)
    context.wake("")
    return held


async def step_up(context: Context, actor: Actor, asker: Asker, held: str, code: str) -> str:
    """When the session was made fresh. Raises NotSignedIn for a code that does not fit."""
    session_id, user_id = signed_in_person(actor)
    bare = bare_code(code)

    def write(tx: Tx) -> str | None:
        at = clock.text(clock.now())
        access.again(tx, actor, at)
        challenge = codes.answered(tx, context, held, bare, "step_up", session_id, at)
        if challenge is None or challenge.user_id != user_id:
            codes.tell(tx, at, asker, "session.step_up", user_id, "refused")
            return None
        sessions.stepped_up(tx, session_id, at)
        audit.append(tx, actor.entry(at, "session.step_up", session_id))
        return at

    at = await context.database.write(write)
    if at is None:
        raise codes.refused()
    return at


def own(tx: Tx, actor: Actor, at: str) -> list[Session]:
    return sessions.of_user(tx, _person(actor), at)


async def end(context: Context, actor: Actor, session_id: str, reason: str) -> None:
    """One of the asker's own. Raises NotFound for any other."""

    def write(tx: Tx) -> None:
        at = clock.text(clock.now())
        access.again(tx, actor, at)
        if not sessions.end(tx, session_id, _person(actor), at, reason):
            raise NotFound("session.unknown", "You have no such session", "GET /api/me/sessions lists them")
        audit.append(tx, actor.entry(at, "session.end", session_id, "", reason=reason))

    await context.database.write(write)


async def end_own(context: Context, actor: Actor) -> int:
    """All of the asker's, this one too."""
    return await _end_all(context, actor, _person(actor), "ended by the person")


async def end_of_user(context: Context, actor: Actor, user_id: str) -> int:
    return await _end_all(context, actor, UserId(user_id), "ended by an administrator")


async def _end_all(context: Context, actor: Actor, user_id: UserId, reason: str) -> int:
    def write(tx: Tx) -> int:
        at = clock.text(clock.now())
        access.again(tx, actor, at)
        if users.get(tx, user_id) is None:
            raise NotFound("user.unknown", "There is no such user", "GET /api/users lists them")
        ended = end_everything(tx, user_id, at, reason)
        audit.append(tx, actor.entry(at, "session.end_all", user_id, "", sessions=[ended, 0]))
        return ended

    return await context.database.write(write)


def end_everything(tx: Tx, user_id: UserId, at: str, reason: str) -> int:
    """Sessions, codes that were sent, links that were not followed: nothing of this user's signs anybody in. Gives how many sessions ended."""
    return end_others(tx, user_id, "", at, reason)


def end_others(tx: Tx, user_id: UserId, kept: str, at: str, reason: str) -> int:
    """The same, but for one session."""
    for message in void_of_user(tx, user_id):
        outbox.end(tx, message, "void", at)
    login_links.void_of_user(tx, user_id, at)
    return sessions.end_all(tx, user_id, at, reason, kept)


def signed_in_person(actor: Actor) -> tuple[str, UserId]:
    """(session, user). Raises Conflict for a token: it has no session."""
    if actor.session_id is None or actor.user_id is None:
        raise Conflict("session.none", "A token has no session", "sign in as a person")
    return actor.session_id, actor.user_id


def _person(actor: Actor) -> UserId:
    if actor.user_id is None:
        raise Conflict("session.none", "A token made on the host has no sessions", "sign in as a person")
    return actor.user_id


def bare_code(code: str) -> str:
    """Raises BadInput for what can be no code."""
    bare = login.typed(code)
    if bare is None:
        raise BadInput(
            "code.invalid", f"A code has {login.DIGITS} digits", "type it as it stands in the mail", fields={"code": "is no code"}
        )
    return bare


def _line(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:LONGEST_AGENT]
