"""Rights that end while something is under way: a request between its check and its write, an open stream, an old session."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.web.people import person, signed_in
from zcplatform import clock
from zcplatform.core.roles import Permission, Role
from zcplatform.errors import NotFound, NotSignedIn, PlatformError
from zcplatform.ops import access
from zcplatform.ops import tenants as asking
from zcplatform.ops.actor import Actor, Bearer, Needed
from zcplatform.ops.context import Call, Caller, Context, Outcome, RetryKey
from zcplatform.store import audit, events, members, tenants, tokens, users
from zcplatform.store.db import Tx, require
from zcplatform.vault.sealing import token_hash
from zcplatform.web.events import Watcher, _stream
from zcplatform.web.watching import while_permitted

from .conftest import AT, Web

SOON_S = 5


def _actor(web: Web, headers: dict[str, str], permission: Permission, slug: str | None) -> Actor:
    """As the route's dependency makes it."""
    digest = token_hash(web.keys.token_pepper, headers["Authorization"].removeprefix("Bearer "))
    at = clock.text(clock.now())

    def read(tx: Tx) -> Actor:
        bearer = Bearer(token_id=require(tokens.by_hash(tx, digest)).id)
        return access.permit(tx, access.identify(tx, bearer, at), Needed(permission), slug, at)

    return web.database.read(read)


def _caller(web: Web, actor: Actor) -> Caller:
    return Caller(_context(web), actor, RetryKey("PATCH", None, b""))


def _context(web: Web) -> Context:
    return web.client._transport.app.state.context  # type: ignore[attr-defined,no-any-return]


def _drop(web: Web, email: str) -> None:
    user = web.user_of(email)
    web.database.write_now(lambda tx: members.remove(tx, require(tenants.find(tx, "shop")).id, user))


def _disable(web: Web, email: str) -> None:
    user = require(web.database.read(lambda tx: users.by_email(tx, email)))
    web.database.write_now(lambda tx: users.disable(tx, user.id, AT))


def _revoke(web: Web, email: str) -> None:
    user = web.user_of(email)
    for token in web.database.read(lambda tx: tokens.of_user(tx, user)):
        web.database.write_now(lambda tx, token=token: tokens.revoke(tx, token.id, AT))  # type: ignore[misc]


def _demote(web: Web, email: str) -> None:
    web.member("shop", email, "viewer")


@pytest.mark.parametrize("lose", [_drop, _disable, _revoke, _demote])
async def test_rights_that_end_between_the_check_and_the_write_change_nothing(web: Web, lose: object) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    headers = web.member("shop", "ada@example.com", "owner")
    actor = _actor(web, headers, Permission.TENANT_UPDATE, "shop")
    lose(web, "ada@example.com")  # type: ignore[operator]

    def act(call: Call) -> Outcome[None]:
        asking.change(call, "shop", asking.Changes(name="Mine"))
        return Outcome(None)

    caller = _caller(web, actor)
    with pytest.raises(PlatformError) as refused:
        await caller.change(act)
    assert refused.value.status in (401, 403, 404, 409)
    with pytest.raises(PlatformError):
        await caller.issue("pairing.issue", "x", "x")
    assert (await web.client.get("/api/tenants/shop")).json()["name"] == "shop"


async def test_a_stream_shows_ones_own_tenants_only_and_ends_with_the_membership(web: Web) -> None:
    for slug in ("shop", "other"):
        await web.client.post("/api/tenants", json={"slug": slug})
    headers = web.member("shop", "ada@example.com", "viewer")
    watcher = Watcher(_context(web))
    stream = _stream(_caller(web, _actor(web, headers, Permission.EVENTS_READ, "shop")), watcher, 0)
    seen = [await anext(stream), await anext(stream)]
    assert '"slug": "shop"' in seen[1]
    everything = _stream(_caller(web, _actor(web, headers, Permission.EVENTS_READ, None)), watcher, 0)
    told = "".join([await anext(everything), await anext(everything)])
    assert '"slug": "shop"' in told

    async def rest(frames: object) -> str:
        return "".join([frame async for frame in frames])  # type: ignore[attr-defined]

    waiting = asyncio.create_task(rest(stream))
    await asyncio.to_thread(_drop, web, "ada@example.com")
    assert "data:" not in await asyncio.wait_for(waiting, SOON_S)
    waiting = asyncio.create_task(rest(everything))
    await web.client.patch("/api/tenants/other", json={"name": "Other"})
    await asyncio.to_thread(_disable, web, "ada@example.com")
    assert "other" not in await asyncio.wait_for(waiting, SOON_S)
    await watcher.stop()


async def test_events_of_other_tenants_and_of_the_installation_are_not_told(web: Web) -> None:
    web.image()
    for slug in ("shop", "other"):
        await web.client.post("/api/tenants", json={"slug": slug})
    actor = _actor(web, web.member("shop", "ada@example.com", "owner"), Permission.EVENTS_READ, None)
    shop = require(web.database.read(lambda tx: tenants.find(tx, "shop"))).id
    found = web.database.read(lambda tx: events.after(tx, 0, actor.visibility))
    assert {event.tenant_id for event in found} == {shop}


async def _silent(closed: asyncio.Event) -> AsyncGenerator[str]:
    """One line, then nothing for ever."""
    try:
        yield "one"
        await asyncio.Event().wait()
    finally:
        closed.set()


@pytest.mark.parametrize(("lose", "error"), [(_drop, NotFound), (_disable, NotSignedIn), (_revoke, NotSignedIn)])
async def test_a_silent_log_stream_ends_too(web: Web, lose: object, error: type[PlatformError]) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    actor = _actor(web, web.member("shop", "ada@example.com", "owner"), Permission.LOGS_READ, "shop")
    watcher, closed = Watcher(_context(web)), asyncio.Event()

    lines = while_permitted(_caller(web, actor), watcher, _silent(closed))
    assert await anext(lines) == "one"
    waiting = asyncio.ensure_future(anext(lines))
    await asyncio.to_thread(lose, web, "ada@example.com")  # type: ignore[arg-type]
    with pytest.raises(error):
        await asyncio.wait_for(waiting, SOON_S)
    assert closed.is_set()
    await watcher.stop()


async def test_a_listener_who_goes_away_closes_what_he_listened_to(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    actor = _actor(web, web.member("shop", "ada@example.com", "owner"), Permission.LOGS_READ, "shop")
    watcher, closed = Watcher(_context(web)), asyncio.Event()

    lines = while_permitted(_caller(web, actor), watcher, _silent(closed))
    assert await anext(lines) == "one"
    waiting = asyncio.ensure_future(anext(lines))
    await asyncio.wait({waiting}, timeout=0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert closed.is_set()
    await watcher.stop()


async def test_an_old_session_may_not_do_what_needs_a_fresh_code(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    ada = person(web, "ada@example.com")
    heir = person(web, "bob@example.com")
    web.member("shop", "ada@example.com", "owner")
    web.member("shop", "bob@example.com", "viewer")
    old, fresh = signed_in(web, ada, stepped_up_at=AT), signed_in(web, ada)
    provider = {"family": "custom", "model": "echo", "base_url": "http://198.51.100.10:8391/v1", "api_key": "sk-canary-7f3a"}
    asked: list[tuple[str, str, dict[str, object] | None]] = [
        ("PATCH", "/api/tenants/shop", {"provider": provider}),
        ("POST", "/api/me/tokens", {"name": "ci"}),
        ("POST", "/api/tenants/shop/tokens", {"name": "ci"}),
        ("PATCH", f"/api/tenants/shop/members/{heir}", {"role": "owner"}),
        ("POST", "/api/tenants/shop/owner", {"user_id": heir}),
        ("DELETE", "/api/tenants/shop", None),
    ]
    async with old.client, fresh.client:
        for method, path, body in asked:
            refused = await old.client.request(method, path, json=body)
            assert (refused.status_code, refused.json()["code"]) == (403, "session.step_up_needed"), path
        for method, path, body in asked[:-1]:
            done = await fresh.client.request(method, path, json=body)
            assert done.is_success, (path, done.text)
        assert (await fresh.client.delete("/api/tenants/shop")).status_code == 403  # a manager by now
    people = (await web.client.get("/api/tenants/shop/members")).json()["items"]
    assert {item["email"]: item["role"] for item in people} == {"ada@example.com": "manager", "bob@example.com": "owner"}


async def test_a_token_of_a_person_is_made_listed_and_revoked_by_him_alone(web: Web) -> None:
    ada, eve = signed_in(web, person(web, "ada@example.com")), signed_in(web, person(web, "eve@example.com"))
    async with ada.client, eve.client:
        made = (await ada.client.post("/api/me/tokens", json={"name": "ci", "scopes": ["self.manage"], "days": 1})).json()
        headers = {"Authorization": f"Bearer {made['token']}"}
        assert (await web.client.get("/api/me", headers=headers)).json()["scopes"] == ["self.manage"]
        assert (await eve.client.get("/api/me/tokens")).json()["items"] == []
        assert (await eve.client.delete(f"/api/me/tokens/{made['id']}")).status_code == 404
        assert (await web.client.get("/api/images", headers=headers)).status_code == 403
        assert (await ada.client.delete(f"/api/me/tokens/{made['id']}")).status_code == 204
        assert (await web.client.get("/api/me", headers=headers)).status_code == 401


async def test_what_a_session_does_names_person_role_session_and_address(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    ada = signed_in(web, person(web, "ada@example.com"))
    web.member("shop", "ada@example.com", "manager")
    async with ada.client:
        assert (await ada.client.patch("/api/tenants/shop", json={"name": "New"})).status_code == 200
    row = web.database.read(lambda tx: tx.execute("SELECT actor, role, address FROM audit_log ORDER BY sequence DESC LIMIT 1").fetchone())
    assert row == (f"{ada.user_id} by {ada.session_id}", str(Role.MANAGER), "198.51.100.1")
    assert isinstance(web.database.read(audit.verify), int)
