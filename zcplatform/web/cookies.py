"""The session of a browser: cookies that only this host receives. The session is read from the database on every request.

A browser sends the cookie whichever page makes the request, including a tenant's page on a sibling host name. So a request that changes something
must come from the panel's own origin, and a read must not come from a page that the browser reports as cross-site.
"""

from contextlib import suppress
from datetime import timedelta

from fastapi import Request, Response

from zcplatform.core import login
from zcplatform.errors import NotAllowed, NotSignedIn, Unavailable
from zcplatform.ops import sessions
from zcplatform.ops.context import Context
from zcplatform.ops.login import Visitor
from zcplatform.ops.sessions import Begun, Session
from zcplatform.web.session_references import References

SESSION = "__Host-zcp_session"
CHALLENGE = "__Host-zcp_challenge"
BROWSER = "__Host-zcp_browser"
OWN_PAGES = frozenset({"same-origin", "none"})
MUTATIONS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


async def signed_in(request: Request, context: Context) -> Session | None:
    """Return the session, or None if the request has none. Raises NotSignedIn if it has ended, NotAllowed if a foreign page requests a change."""
    cookie = request.cookies.get(SESSION)
    if cookie is None:
        return None
    if request.method in MUTATIONS:
        _require_own_origin(request.headers.get("origin"), context)
    elif request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
        raise _foreign(context)
    references: References = request.app.state.references
    named = references.read(cookie)
    session = sessions.active(context, named[0]) if named is not None else None
    if session is None or named is None or session.user_id != named[1]:
        raise NotSignedIn("session.ended", "The session has ended", "sign in again")
    with suppress(Unavailable):  # a read must not fail because the time of use cannot be stored
        await sessions.record_use(context, session)
    return session


def visitor(request: Request, address: str, request_id: str) -> Visitor:
    return Visitor(
        address=address,
        agent=request.headers.get("user-agent", "")[:1_000],
        request_id=request_id,
        held_challenge=request.cookies.get(CHALLENGE, ""),
        held_browser=request.cookies.get(BROWSER, ""),
    )


def require_own_page(request: Request, context: Context) -> None:
    """Reject sign-in from other pages, which could sign their visitors in to another account. Programs send no Origin."""
    if "origin" in request.headers:
        _require_own_origin(request.headers["origin"], context)


def begin(response: Response, references: References, begun: Begun) -> None:
    """Set the cookies of a new session, replacing those the browser had."""
    _set(response, SESSION, references.sign(begun.session), login.SESSION_LIVES, "lax")
    _set(response, BROWSER, begun.browser, login.BROWSER_LIVES, "lax")
    drop(response, CHALLENGE)


def hold(response: Response, challenge: str) -> None:
    _set(response, CHALLENGE, challenge, login.CODE_LIVES, "strict")


def drop(response: Response, name: str) -> None:
    response.set_cookie(name, "", max_age=0, path="/", secure=True, httponly=True, samesite="lax")


def _set(response: Response, name: str, value: str, lives: timedelta, same_site: str) -> None:
    seconds = int(lives.total_seconds())
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite=same_site)  # type: ignore[arg-type]


def _require_own_origin(origin: str | None, context: Context) -> None:
    if origin not in context.settings.panel_origins:
        raise _foreign(context)


def _foreign(context: Context) -> NotAllowed:
    return NotAllowed(
        "origin.foreign",
        "A session works only on the panel's own address",
        f"Open {context.settings.panel_url}; behind a TLS proxy set `public_url`",
    )
