"""The session of a browser: cookies that only this host gets back, read again from the database on every request.

A cookie is sent by the browser whoever asks, a tenant's page on a neighbouring name too: what changes something must come from the panel's own
origin, word for word, and what only reads must not come from a page that the browser itself calls another one.
"""

from contextlib import suppress
from datetime import timedelta

from fastapi import Request, Response

from zcplatform import clock
from zcplatform.core import login
from zcplatform.errors import NotAllowed, NotSignedIn, Unavailable
from zcplatform.ops.context import Context
from zcplatform.ops.login import Asker
from zcplatform.ops.sessions import Begun
from zcplatform.store import sessions
from zcplatform.store.sessions import Session
from zcplatform.web.references import References

SESSION = "__Host-zcp_session"
CHALLENGE = "__Host-zcp_challenge"
BROWSER = "__Host-zcp_browser"
OWN_PAGES = frozenset({"same-origin", "none"})
MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
USED_EVERY = timedelta(minutes=1)


async def signed_in(request: Request, context: Context) -> Session | None:
    """None when the request brings no session. Raises NotSignedIn for one that has ended, NotAllowed for a change asked for by another page."""
    cookie = request.cookies.get(SESSION)
    if cookie is None:
        return None
    if request.method in MUTATIONS:
        _check_origin(request.headers.get("origin"), context)
    elif request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
        raise _foreign(context)
    references: References = request.app.state.references
    named = references.read(cookie)
    now = clock.now()
    at = clock.text(now)
    session = context.database.read(lambda tx: sessions.active(tx, named[0], at)) if named is not None else None
    if session is None or named is None or session.user_id != named[1]:
        raise NotSignedIn("session.ended", "The session has ended", "sign in again")
    if session.last_used_at < clock.text(now - min(USED_EVERY, _idle(context) / 4)):
        with suppress(Unavailable):  # nobody is kept from reading because that can not be noted now
            await context.database.write(lambda tx: sessions.used(tx, session.id, at, clock.text(now + _idle(context))))
    return session


def asker(request: Request, address: str, request_id: str) -> Asker:
    return Asker(
        address=address,
        agent=request.headers.get("user-agent", "")[:1_000],
        request_id=request_id,
        held_challenge=request.cookies.get(CHALLENGE, ""),
        held_browser=request.cookies.get(BROWSER, ""),
    )


def check_stranger(request: Request, context: Context) -> None:
    """Who signs in from a browser does so on the panel: no other page signs anybody in as somebody else. Programs send no origin."""
    if "origin" in request.headers:
        _check_origin(request.headers["origin"], context)


def begin(response: Response, references: References, begun: Begun) -> None:
    """Give the browser its new session; whatever it held before is overwritten."""
    _keep(response, SESSION, references.sign(begun.session), login.SESSION_LIVES, "lax")
    _keep(response, BROWSER, begun.browser, login.BROWSER_LIVES, "lax")
    drop(response, CHALLENGE)


def hold(response: Response, challenge: str) -> None:
    _keep(response, CHALLENGE, challenge, login.CODE_LIVES, "strict")


def drop(response: Response, name: str) -> None:
    response.set_cookie(name, "", max_age=0, path="/", secure=True, httponly=True, samesite="lax")


def _keep(response: Response, name: str, value: str, lives: timedelta, same_site: str) -> None:
    seconds = int(lives.total_seconds())
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite=same_site)  # type: ignore[arg-type]


def _check_origin(origin: str | None, context: Context) -> None:
    if origin not in context.settings.panel_origins:
        raise _foreign(context)


def _foreign(context: Context) -> NotAllowed:
    return NotAllowed("origin.foreign", "A session is only good on the panel's own address", f"open {context.settings.panel_url}")


def _idle(context: Context) -> timedelta:
    return timedelta(seconds=context.settings.session_idle_s)
