"""Sessions: what a browser holds is only a reference, and every way to forge, replay, plant or outlive one fails."""

import asyncio
import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import httpx2
import jwt
import pytest

from tests.web.conftest import AT, Web
from tests.web.people import browser, code_of, messages, person, references, signed_in, wrong
from zcplatform import clock
from zcplatform.core import login
from zcplatform.ids import UserId
from zcplatform.store import audit, login_links, sessions
from zcplatform.vault import keyed_hashes
from zcplatform.web.cookies import CHALLENGE, SESSION
from zcplatform.web.session_references import TYPE

ANN, BOB = "ann@example.com", "bob@example.com"
MINE = "/api/me/sessions"


async def _status(client: httpx2.AsyncClient) -> int:
    return (await client.get(MINE)).status_code


def _claims(web: Web, user_id: UserId, session_id: str) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    return {
        "iss": f"zcplatform/{web.settings.instance}", "aud": "session", "sub": user_id, "sid": session_id, "iat": now, "nbf": now, "exp": now + 3600,
    }  # fmt: skip


def _signed(web: Web, claims: dict[str, Any], algorithm: str = "HS256", key: bytes | None = None, **header: Any) -> str:
    """Correctly signed, whatever it says; None leaves a part of the header out."""
    told = {"alg": algorithm, "typ": TYPE, "kid": "1", **header}
    text = _raw({name: value for name, value in told.items() if value is not None}, claims)[:-1]
    signature = hmac.digest(key or web.keys.signing_key(1), text.encode(), "sha" + (algorithm[2:] or "256"))
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _raw(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def test_a_well_made_reference_is_taken(web: Web) -> None:
    """What the forgeries below are compared with."""
    who = signed_in(web, person(web, ANN))
    async with browser(web) as client:
        client.cookies.set(SESSION, _signed(web, _claims(web, who.user_id, who.session_id)))
        assert await _status(client) == 200


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"}, {"typ": None}, {"kid": None}, {"kid": "2"}, {"kid": "../../etc/passwd"}, {"kid": "1' OR 1=1"}, {"kid": "0x1"},
        {"kid": "\u0661"}, {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/cert"}, {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"crit": ["exp"]}, {"b64": False},
    ],
)  # fmt: skip
async def test_headers_that_name_a_key_or_another_type_are_refused(web: Web, header: dict[str, Any]) -> None:
    """S-18."""
    who = signed_in(web, person(web, ANN))
    async with browser(web) as client:
        client.cookies.set(SESSION, _signed(web, _claims(web, who.user_id, who.session_id), **header))
        assert await _status(client) == 401


async def test_other_algorithms_and_broken_signatures_are_refused(web: Web) -> None:
    """S-18."""
    who = signed_in(web, person(web, ANN))
    claims = _claims(web, who.user_id, who.session_id)
    good = _signed(web, claims)
    head, body, signature = good.split(".")
    none = [_raw({"alg": alg, "typ": TYPE, "kid": "1"}, claims) for alg in ("none", "None", "NONE", "nOnE")]
    as_rsa = _signed(web, claims, "RS256")
    forged = [
        *none, as_rsa, _signed(web, claims, "HS512"), _signed(web, claims, "HS384"), _signed(web, claims, key=b"\0" * 32),
        f"{head}.{body}.", f"{head}.{body}", f"{head}.{body}.{signature}.x", f"{head}.{body}.{signature[:-4]}AAAA", "", "..", "a.b.c",
        good.replace(".", ".a", 1), "a" * 29_000, "a" * 65_536, f"{head}.{body}a.{signature}",
    ]  # fmt: skip
    async with browser(web) as client:
        for text in forged:
            answer = await client.get(MINE, headers={"Cookie": f"{SESSION}={text}"})
            assert answer.status_code == (401 if len(text) < 30_000 else 431), text[:200]
        assert (await client.get(MINE, headers={"Cookie": f"{SESSION}={good}"})).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "zcplatform/other"}, {"iss": None}, {"aud": "invitation"}, {"aud": ["session"]}, {"aud": None}, {"sub": None}, {"sid": None},
        {"exp": 1}, {"exp": None}, {"iat": None}, {"iat": "later"}, {"nbf": None}, {"nbf": "later"}, {"exp": "two days"}, {"sub": "usr_other"},
        {"sid": "ses_other"}, {"sub": 7}, {"role": "super-admin"},
    ],
)  # fmt: skip
async def test_each_claim_is_checked(web: Web, change: dict[str, Any]) -> None:
    """S-19."""
    who = signed_in(web, person(web, ANN))
    claims = _claims(web, who.user_id, who.session_id)
    later = {"later": claims["iat"] + 600, "two days": claims["iat"] + 2 * 86_400}
    for name, value in change.items():
        claims[name] = later.get(value, value) if isinstance(value, str) else value
    claims = {name: value for name, value in claims.items() if value is not None}
    text = _signed(web, claims)
    async with browser(web) as client:
        client.cookies.set(SESSION, text)
        assert await _status(client) == 401


async def test_other_credentials_are_no_session_and_it_is_no_token(web: Web) -> None:
    """S-19."""
    who = signed_in(web, person(web, ANN))
    cookie = references(web).sign(web.database.read(lambda tx: sessions.active(tx, who.session_id, clock.text(clock.now()))))
    async with browser(web) as client:
        for text in (web.token(), who.session_id, who.user_id):
            client.cookies.set(SESSION, text)
            assert await _status(client) == 401
        client.cookies.clear()
        for text in (cookie, who.session_id):
            assert (await client.get(MINE, headers={"Authorization": f"Bearer {text}"})).status_code == 401


async def test_logout_acts_on_the_next_request(web: Web) -> None:
    """S-20: what was stolen before is worth nothing after."""
    who = signed_in(web, person(web, ANN))
    stolen = who.client.cookies[SESSION]
    assert (await who.client.post("/api/auth/logout")).status_code == 204
    async with browser(web) as thief:
        thief.cookies.set(SESSION, stolen)
        assert await _status(thief) == 401
    assert isinstance(web.database.read(audit.verify), int)


async def test_own_sessions_are_listed_and_ended_and_nobody_elses(web: Web) -> None:
    ann, bob = person(web, ANN), person(web, BOB)
    first, second, stranger = signed_in(web, ann), signed_in(web, ann), signed_in(web, bob)
    listed = (await first.client.get(MINE)).json()["items"]
    assert {item["id"]: item["is_this"] for item in listed} == {first.session_id: True, second.session_id: False}
    assert (await first.client.delete(f"{MINE}/{stranger.session_id}")).status_code == 404
    assert await _status(stranger.client) == 200
    assert (await first.client.delete(f"{MINE}/{second.session_id}")).status_code == 204
    assert (await _status(first.client), await _status(second.client)) == (200, 401)
    third = signed_in(web, ann)
    assert (await first.client.delete(MINE)).json() == {"ended": 2}
    assert (await _status(first.client), await _status(third.client), await _status(stranger.client)) == (401, 401, 200)


async def test_an_administrator_ends_a_users_sessions_codes_and_links(web: Web) -> None:
    """S-22."""
    ann = person(web, ANN)
    admin, who = signed_in(web, person(web, BOB, is_super_admin=True)), signed_in(web, ann)
    link = _link(web, ann)
    async with browser(web) as other:
        await other.post("/api/auth/otp/request", json={"email": ANN})
        code = code_of(web, ANN)
        assert (await who.client.delete(f"/api/users/{admin.user_id}/sessions")).status_code == 403
        assert (await admin.client.delete(f"/api/users/{ann}/sessions")).json() == {"ended": 1}
        assert (await other.post("/api/auth/otp/verify", json={"code": code})).status_code == 401
        assert (await other.post("/api/auth/link", json={"token": link})).status_code == 401
    assert messages(web, ANN) == []
    assert (await _status(who.client), await _status(admin.client)) == (401, 200)
    assert (await admin.client.delete("/api/users/usr_nobody/sessions")).status_code == 404


async def test_a_session_that_idled_or_expired_has_ended(web: Web) -> None:
    """S-25."""
    ann = person(web, ANN)
    past = clock.text(clock.now() - timedelta(seconds=1))
    assert await _status(signed_in(web, ann, idle_until=past).client) == 401
    assert await _status(signed_in(web, ann, expires_at=past).client) == 401


async def test_use_keeps_a_session_awake(web: Web) -> None:
    ann, now = person(web, ANN), clock.now()
    soon = clock.text(now + timedelta(seconds=60))
    who = signed_in(web, ann, last_used_at=clock.text(now - timedelta(minutes=10)), idle_until=soon)
    assert await _status(who.client) == 200
    (row,) = web.database.read(lambda tx: sessions.of_user(tx, ann, clock.text(clock.now())))
    assert row.idle_until > clock.text(now + timedelta(seconds=web.settings.session_idle_s - 60))


async def test_a_disabled_person_is_out_at_once(web: Web) -> None:
    """S-21, S-22."""
    who = signed_in(web, person(web, ANN))
    web.database.write_now(lambda tx: tx.execute("UPDATE users SET disabled_at = ?", (AT,)))
    assert await _status(who.client) == 401


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.localhost", "http://shop.localhost", "https://panel.localhost", "http://panel.localhost:81", "http://panel.localhost.",
     "http://panel.localhost/", "HTTP://PANEL.LOCALHOST", "http://panel.localhost.evil.example", "http://panel.localhost@evil.example"],
)  # fmt: skip
async def test_a_cookie_changes_nothing_from_another_page(web: Web, origin: str | None) -> None:
    """A tenant's page is a neighbour: the browser sends it the same cookies as the panel."""
    who = signed_in(web, person(web, ANN))
    del who.client.headers["Origin"]
    headers = {"Origin": origin} if origin is not None else {}
    for method, path in (("DELETE", MINE), ("POST", "/api/auth/logout"), ("POST", "/api/auth/step-up/request"), ("POST", "/api/tenants")):
        answer = await who.client.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "origin.foreign")
    assert await _status(who.client) == 200


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-site", 403), ("x", 403), ("same-origin", 200), ("none", 200)])
async def test_a_neighbouring_page_reads_nothing_either(web: Web, site: str, status: int) -> None:
    """Nor does it keep a session awake that its owner left alone."""
    who = signed_in(web, person(web, ANN))
    assert (await who.client.get(MINE, headers={"Sec-Fetch-Site": site})).status_code == status


async def test_a_session_that_ends_ends_its_streams(web: Web) -> None:
    """S-22: by itself, not when something is said next."""
    who, other = signed_in(web, ann := person(web, ANN, is_super_admin=True)), signed_in(web, ann)
    stream = asyncio.create_task(who.client.get("/api/events"))
    watcher = web.client._transport.app.state.watcher  # type: ignore[attr-defined]
    async with asyncio.timeout(20):
        while not watcher._listeners:
            await asyncio.sleep(0)
    assert not stream.done()
    assert (await other.client.delete(f"{MINE}/{who.session_id}")).status_code == 204
    async with asyncio.timeout(20):
        await stream


async def test_step_up_makes_a_session_fresh_again(web: Web) -> None:
    """S-25."""
    ann = person(web, ANN)
    old = clock.text(clock.now() - timedelta(minutes=11))
    who, other = signed_in(web, ann, stepped_up_at=old), signed_in(web, ann, stepped_up_at=old)
    asked = await who.client.post("/api/auth/step-up/request")
    assert asked.status_code == 202
    code = code_of(web, ANN)
    assert (await who.client.post("/api/auth/step-up/verify", json={"code": wrong(code)})).status_code == 401
    stolen = {"code": code, "challenge": asked.cookies[CHALLENGE]}
    assert (await other.client.post("/api/auth/step-up/verify", json=stolen)).status_code == 401, "it is for the session that asked"
    async with browser(web) as stranger:
        assert (await stranger.post("/api/auth/otp/verify", json=stolen)).status_code == 401, "it signs nobody in"
    answer = await who.client.post("/api/auth/step-up/verify", json={"code": code})
    assert answer.status_code == 200
    rows = {row.id: row.stepped_up_at for row in web.database.read(lambda tx: sessions.of_user(tx, ann, clock.text(clock.now())))}
    assert rows == {who.session_id: answer.json()["stepped_up_at"], other.session_id: old}


async def test_a_login_code_is_no_step_up(web: Web) -> None:
    who = signed_in(web, person(web, ANN))
    asked = await who.client.post("/api/auth/otp/request", json={"email": ANN})
    body = {"code": code_of(web, ANN), "challenge": asked.cookies[CHALLENGE]}
    assert (await who.client.post("/api/auth/step-up/verify", json=body)).status_code == 401


async def test_a_token_has_no_session(web: Web) -> None:
    for method, path in (("POST", "/api/auth/logout"), ("POST", "/api/auth/step-up/request"), ("GET", MINE)):
        answer = await web.client.request(method, path)
        assert (answer.status_code, answer.json()["code"]) == (409, "session.none")


def _link(web: Web, user_id: UserId, lives: timedelta = login.LINK_LIVES) -> str:
    now = clock.now()
    hashed = keyed_hashes.keyed_hash(web.keys.code_mac, keyed_hashes.LINK, "link-" + user_id)
    web.database.write_now(lambda tx: login_links.insert(tx, hashed, user_id, clock.text(now), clock.text(now + lives)))
    return "link-" + user_id


async def test_a_link_signs_in_once_and_not_late(web: Web) -> None:
    """S-14."""
    ann, bob = person(web, ANN), person(web, BOB)
    link, late = _link(web, ann), _link(web, bob, timedelta(seconds=-1))
    async with browser(web) as client:
        answers = await asyncio.gather(*(client.post("/api/auth/link", json={"token": link}) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 4
        assert (await client.post("/api/auth/link", json={"token": late})).status_code == 401
        assert await _status(client) == 200


async def test_links_can_not_be_tried_in_bulk(web: Web) -> None:
    async with browser(web) as client:
        answers = [(await client.post("/api/auth/link", json={"token": f"guess-{number}"})).status_code for number in range(12)]
    assert answers == [401] * 10 + [429] * 2


async def test_a_new_signing_key_logs_nobody_out_until_the_old_one_retires(web: Web) -> None:
    """S-23."""
    ann = person(web, ANN)
    before = signed_in(web, ann)
    references(web).keys = {2: web.keys.signing_key(2), 1: web.keys.signing_key(1)}
    after = signed_in(web, ann)
    assert jwt.get_unverified_header(after.client.cookies[SESSION])["kid"] == "2"
    assert (await _status(before.client), await _status(after.client)) == (200, 200)
    references(web).keys = {2: web.keys.signing_key(2)}
    assert (await _status(before.client), await _status(after.client)) == (401, 200)
    async with browser(web) as thief:
        thief.cookies.set(SESSION, _signed(web, _claims(web, ann, after.session_id), key=web.keys.signing_key(1), kid="2"))
        assert await _status(thief) == 401


async def test_who_has_one_signing_key_can_not_make_the_next(web: Web) -> None:
    made = {web.keys.signing_key(number) for number in range(1, 50)}
    assert len(made) == 49
    assert web.keys.signing not in made


async def test_another_address_needs_both_mailboxes_and_both_are_told(web: Web) -> None:
    """S-17."""
    ann = person(web, ANN)
    old = clock.text(clock.now() - timedelta(minutes=11))
    stolen, other, who = signed_in(web, ann, stepped_up_at=old), signed_in(web, ann), signed_in(web, ann)
    for path, body in (("/api/me/email", {"email": "eve@example.com"}), ("/api/me/email/verify", {"code": "00000000"})):
        answer = await stolen.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "session.step_up_needed")
    asked = await who.client.post("/api/me/email", json={"email": "Ann@example.org"})
    assert asked.status_code == 202
    code = code_of(web, "ann@example.org")
    held = {"code": code, "challenge": asked.cookies[CHALLENGE]}
    assert (await other.client.post("/api/me/email/verify", json=held)).status_code == 401
    assert (await who.client.post("/api/me/email/verify", json={"code": wrong(code)})).status_code == 401
    assert (await who.client.post("/api/me/email/verify", json={"code": code})).json() == {"email": "ann@example.org"}
    for recipient in (ANN, "ann@example.org"):
        assert messages(web, recipient)[-1][1] == {"old": ANN, "new": "ann@example.org"}
    assert [await _status(one.client) for one in (who, other, stolen)] == [200, 401, 401]
    async with browser(web) as client:
        await client.post("/api/auth/otp/request", json={"email": ANN})
        assert [values for _, values in messages(web, ANN) if "code" in values] == []
    assert isinstance(web.database.read(audit.verify), int)


async def test_the_address_of_somebody_else_is_not_taken_and_not_told(web: Web) -> None:
    person(web, BOB)
    who = signed_in(web, person(web, ANN))
    free = await who.client.post("/api/me/email", json={"email": "free@example.com"})
    taken = await who.client.post("/api/me/email", json={"email": BOB})
    assert (free.status_code, free.content) == (taken.status_code, taken.content)
    assert messages(web, BOB) == []
    assert (await who.client.post("/api/me/email", json={"email": "no address"})).status_code == 422


async def test_a_disabled_persons_codes_and_links_are_void(web: Web) -> None:
    ann, admin = person(web, ANN), signed_in(web, person(web, BOB, is_super_admin=True))
    link = _link(web, ann)
    async with browser(web) as client:
        await client.post("/api/auth/otp/request", json={"email": ANN})
        code = code_of(web, ANN)
        assert (await admin.client.patch(f"/api/users/{ann}", json={"disabled": True})).status_code == 200
        assert (await admin.client.patch(f"/api/users/{ann}", json={"disabled": False})).status_code == 200
        assert (await client.post("/api/auth/otp/verify", json={"code": code})).status_code == 401
        assert (await client.post("/api/auth/link", json={"token": link})).status_code == 401
