"""Signing in with a code by mail: ask for one, give it. One transaction each; the worker sends the mail, no request waits for it.

The promise: an address that nobody has, one that is disabled and one that had too many codes today cost the same work and get the same answer as
any other. Tries are counted before anything is compared, in the transaction that compares.
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
from zcplatform.store import audit, challenges, outbox, sessions, throttles, users
from zcplatform.store.challenges import Challenge
from zcplatform.store.db import Tx
from zcplatform.vault import keyed_hashes

NOBODY = UserId("")
LONGEST_HELD = 100


@dataclass(frozen=True)
class Asker:
    """Who asks as far as can be known: where from, and what the browser holds of earlier times (empty where it holds nothing)."""

    address: str
    agent: str
    request_id: str
    held_challenge: str = ""
    held_browser: str = ""

    @property
    def network(self) -> str:
        return login.network(self.address)


@dataclass(frozen=True)
class Wanted:
    """A challenge to be made. `user_id` NOBODY makes one that nothing fits, and sends nothing."""

    purpose: str
    kind: Kind
    recipient: str
    user_id: UserId
    lane: str
    session_id: str | None = None


def mailbox(text: str) -> str:
    """Raises BadInput for what is no address here."""
    address = canonical(text)
    if address is None:
        raise BadInput("email.invalid", "That is no mail address", "for example ann@example.com", fields={"email": "is no mail address"})
    return address


async def ask(context: Context, asker: Asker, email: str) -> str:
    """What the asking browser is to hold. Raises BadInput for what is no address, TooMany for too many from one network."""
    recipient, held = mailbox(email), secrets.token_urlsafe(32)

    def write(tx: Tx) -> bool:
        now = clock.now()
        at = clock.text(now)
        if not within(tx, "code.request", asker, login.REQUESTS, now):
            return False
        user = users.by_email(tx, recipient)
        account = user.id if user is not None and user.is_active else NOBODY
        lane = _lane(tx, context, asker, account, now)
        challenge(tx, context, asker, Wanted("login", Kind.LOGIN_CODE, recipient, account, lane), held, now)
        tell(tx, at, asker, "code.request", account or "unknown", "done")
        return True

    if not await context.database.write(write):
        raise too_many(login.REQUESTS)
    context.wake("")
    return held


def new_code() -> str:
    """From the system's source of chance; leading zeros are part of it."""
    return f"{secrets.randbelow(10**login.DIGITS):0{login.DIGITS}}"


def challenge(tx: Tx, context: Context, asker: Asker, wanted: Wanted, held: str, now: datetime) -> None:
    """Void what it replaces, write it down, and put its message into the outbox; a decoy where no more may be sent."""
    at, code = clock.text(now), new_code()
    earlier = challenges.earlier(tx, wanted.user_id, wanted.lane, clock.text(now - login.DAY), at)
    is_stranger = wanted.lane == login.STRANGER
    strangers = throttles.count(tx, "codes to strangers", clock.text(now - login.STRANGERS.window))
    for message in challenges.supersede(tx, _held(context, asker), wanted.purpose, wanted.user_id, asker.network):
        outbox.end(tx, message, "void", at)
    is_sent = login.may_send(earlier, now) and wanted.user_id != NOBODY and not (is_stranger and strangers >= login.STRANGERS.most)
    counted = "codes to strangers" if is_sent and is_stranger else "other codes"
    throttles.hit(tx, counted, at, clock.text(now - login.STRANGERS.window))
    outbox_id = mail.post(
        tx, context.seal_public, at, wanted.kind, wanted.recipient, {"code": code}, login.CODE_LIVES, is_decoy=not is_sent
    )
    made = Challenge(
        id=keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.CHALLENGE, held),
        purpose=wanted.purpose,
        user_id=wanted.user_id if is_sent else None,
        session_id=wanted.session_id,
        email=wanted.recipient if wanted.kind == Kind.EMAIL_CODE else None,
        lane=wanted.lane,
        network=asker.network,
        code_mac=keyed_hashes.code_mac(context.code_mac, held, code),
        outbox_id=outbox_id,
        created_at=at,
        expires_at=clock.text(now + login.CODE_LIVES),
    )
    challenges.insert(tx, made)


def answered(tx: Tx, context: Context, held: str, code: str, purpose: str, session_id: str | None, at: str) -> Challenge | None:
    """The challenge that this code fits, used up by it; None for everything else. Counted before compared; the caller must commit either way."""
    tried = challenges.count_try(
        tx, keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.CHALLENGE, held[:LONGEST_HELD]), purpose, session_id, at
    )
    if tried is None:
        return None
    fits = keyed_hashes.same(tried.code_mac, keyed_hashes.code_mac(context.code_mac, held[:LONGEST_HELD], code))
    if not fits or tried.user_id is None or not challenges.use(tx, tried.id):
        return None
    return tried


def within(tx: Tx, what: str, asker: Asker, limit: Limit, now: datetime) -> bool:
    """Count one more of this network's; the caller must commit either way."""
    counted, _ = throttles.hit(tx, f"{what} {asker.network}", clock.text(now), clock.text(now - limit.window))
    return counted <= limit.most


def tell(tx: Tx, at: str, asker: Asker, action: str, subject: str, outcome: str) -> None:
    """An audit entry about somebody who is not signed in. A flood of them from one network is told in one entry, when it is over."""
    now = clock.parse(at)
    counted, before = throttles.hit(tx, f"told {action} {outcome} {asker.network}", at, clock.text(now - login.TOLD.window))
    if before > login.TOLD.most:
        more = {"more_in_an_hour": [None, before - login.TOLD.most]}
        audit.append(tx, Entry(at, "nobody", action, "many", "", "none", asker.address, outcome, more, asker.request_id))
    if counted <= login.TOLD.most:
        audit.append(tx, Entry(at, "nobody", action, subject, "", "none", asker.address, outcome, {}, asker.request_id))


def refused() -> NotSignedIn:
    """One answer for a wrong, used, old or foreign code, and for no tries left."""
    return NotSignedIn(
        "code.refused", "The code is wrong, was used, or is too old, or was asked for in another browser", "ask for a new one"
    )


def too_many(limit: Limit) -> TooMany:
    seconds = int(limit.window.total_seconds())
    return TooMany("login.too_many", "Too many requests from your network", f"wait {seconds} seconds", retry_after_s=seconds)


def _held(context: Context, asker: Asker) -> bytes:
    return keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.CHALLENGE, asker.held_challenge[:LONGEST_HELD])


def _lane(tx: Tx, context: Context, asker: Asker, user_id: UserId, now: datetime) -> str:
    browser = keyed_hashes.keyed_hash(context.code_mac, keyed_hashes.BROWSER, asker.held_browser[:LONGEST_HELD])
    known_browser = sessions.knows_browser(tx, browser, user_id, clock.text(now - login.BROWSER_LIVES))
    known_network = sessions.was_used_from(tx, user_id, asker.network, clock.text(now - login.KNOWN_FOR))
    if known_browser:
        return f"browser {browser.hex()[:16]}"
    return f"network {asker.network}" if known_network else login.STRANGER
