"""A deleted user: none of their credentials works, no row and no byte of the file holds their address, and the audit log is whole."""

import asyncio
import json
from datetime import timedelta

import pytest

from tests.web.conftest import AT, Web
from tests.web.people import CODE, browser, messages, person, sign_in, signed_in
from zcplatform import clock
from zcplatform.ops import links
from zcplatform.store import audit, erasure, tokens, users
from zcplatform.store.db import Tx, require, scalar

ADA, BEN = "ada@example.com", "ben@example.com"


async def _tenant(web: Web, slug: str) -> None:
    assert (await web.client.post("/api/tenants", json={"slug": slug})).status_code == 201


async def _delete(web: Web, user: str) -> tuple[int, str]:
    answer = await web.client.delete(f"/api/users/{user}", headers={"Idempotency-Key": "once"})
    return answer.status_code, "" if answer.status_code == 204 else answer.json()["code"]


def _holding(tx: Tx, text: str) -> set[str]:
    names = [name for (name,) in tx.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()]
    return {name for name in names for row in tx.execute(f"SELECT * FROM {name}") if any(text in str(cell) for cell in row)}


async def test_nothing_holds_the_address_of_a_deleted_person(web: Web) -> None:
    """All that leaves an address in rows is done first; each of these tables held it."""
    await _tenant(web, "shop")
    ada = web.user(ADA)
    web.member("shop", BEN, "owner")
    async with browser(web) as client:
        await sign_in(web, client, ADA)
        web.member("shop", ADA, "owner")
        assert (await client.patch("/api/tenants/shop", json={"provider": None, "name": "Shop"})).status_code in (200, 422)
        assert (await client.patch("/api/tenants/shop/config", json={"settings": {"instructions": "x"}})).status_code == 200
        assert (await client.post("/api/tenants/shop/members", json={"email": "new@example.com"})).status_code == 201
        assert (await client.post("/api/me/email", json={"email": "other@example.com"})).status_code == 202
        made = (await client.post("/api/me/tokens", json={"name": "ladys laptop"})).json()["token"]
        by_token = {"Authorization": f"Bearer {made}"}
        assert (
            await web.client.patch("/api/tenants/shop/config", json={"settings": {"instructions": "y"}}, headers=by_token)
        ).status_code == 200
        service = (await client.post("/api/tenants/shop/tokens", json={"name": "ci"})).json()["token"]
        await web.client.patch(f"/api/users/{ADA}", json={"name": "Ada Lovelace"}, headers={"Idempotency-Key": "a"})
        await _tenant(web, "other")
        assert (await web.client.post("/api/tenants/other/members", json={"email": ADA})).status_code == 201
        assert (await client.post("/api/auth/step-up/request")).status_code == 202
        held = web.database.read(lambda tx: _holding(tx, ADA))
        assert held == {"users", "invitations", "outbox", "revisions", "idempotency_keys"}
        asked = messages(web, ADA)
        soon = timedelta(minutes=1)
        context = web.client._transport.app.state.context  # type: ignore[attr-defined]
        row = require(web.database.read(lambda tx: users.by_email(tx, ADA)))
        web.database.write_now(lambda tx: links.make(tx, web.settings, context.code_mac, row, clock.text(clock.now()), soon))
        assert {"sessions", "browsers", "login_links", "members", "challenges"} < web.database.read(lambda tx: _holding(tx, ada))

        assert await _delete(web, ADA) == (204, "")
        for answer in (await client.get("/api/me"), await web.client.get("/api/me", headers={"Authorization": f"Bearer {made}"})):
            assert answer.status_code == 401
        assert (await web.client.get("/api/tenants/shop", headers={"Authorization": f"Bearer {service}"})).status_code == 401
    assert asked
    kept = web.database.read(lambda tx: _holding(tx, ada))
    assert kept == {"users", "tokens", "invitations", "revisions", "events", "audit_log"}, "an id, where the work of others leads to it"
    assert web.database.read(lambda tx: tokens.of_user(tx, ada))[0].name == ""
    assert web.database.read(lambda tx: scalar(tx, "SELECT count(*) FROM tokens WHERE revoked_at IS NULL AND maker_user_id = ?", ada)) == 0
    assert web.database.read(lambda tx: scalar(tx, "SELECT count(*) FROM invitations WHERE revoked_at IS NULL")) == 0
    assert messages(web, ADA) == []
    assert web.database.read(lambda tx: _holding(tx, "ladys laptop")) == {"audit_log"}, "the name of a token is in the log alone"
    for text in (ADA, "Lovelace", "other@example.com"):
        assert web.database.read(lambda tx, text=text: _holding(tx, text)) == set(), text  # type: ignore[misc]
    web.database.truncate_log()
    held_bytes = b"".join(path.read_bytes() for path in web.settings.database.parent.iterdir())
    assert ADA.encode() not in held_bytes
    assert b"Lovelace" not in held_bytes
    assert (await web.client.get(f"/api/users/{ada}")).status_code == 404
    members = (await web.client.get("/api/tenants/shop/members")).json()["items"]
    assert [one["email"] for one in members] == [BEN]
    assert await _delete(web, ada) == (404, "user.unknown")
    assert isinstance(web.database.read(audit.verify), int)


async def test_the_log_names_people_who_are_there_and_keeps_the_id_of_who_was(web: Web) -> None:
    await _tenant(web, "shop")
    ben = signed_in(web, person(web, BEN))
    web.member("shop", BEN, "owner")
    async with ben.client as client:
        invited = (await client.post("/api/tenants/shop/members", json={"email": ADA})).json()["id"]
    ada = web.user_of(ADA)

    async def told(path: str = "/api/tenants/shop/audit") -> dict[str, dict[str, str]]:
        items = (await web.client.get(path, params={"limit": 200})).json()["items"]
        assert all(ADA not in json.dumps({**item, "people": {}}) for item in items)
        return {item["action"]: item["people"] for item in items}

    assert (await told())["invitation.create"] == {ben.user_id: BEN, invited: ADA}
    assert (await told("/api/audit"))["user.create"] == {ben.user_id: BEN, ada: ADA}
    lines = (await web.client.get("/api/tenants/shop/audit?format=ndjson")).text.splitlines()
    assert {ben.user_id: BEN, invited: ADA} in [json.loads(line)["people"] for line in lines]
    web.member("shop", ADA, "viewer")
    assert await _delete(web, ADA) == (204, "")
    after = await told()
    assert after["member.remove"] == {}
    assert after["invitation.create"] == {ben.user_id: BEN}
    removed = (await web.client.get("/api/tenants/shop/audit?action=member.remove")).json()["items"]
    assert [(item["object"], item["changes"]["role"]) for item in removed] == [(ada, ["viewer", None])]


async def test_names_that_people_choose_lead_to_no_address(web: Web) -> None:
    """An id that somebody typed is not looked up: it may be anybody's."""
    await _tenant(web, "shop")
    victim = web.user("victim@example.com")
    owner = signed_in(web, person(web, BEN))
    web.member("shop", BEN, "owner")
    async with owner.client as client:
        made = (await client.post("/api/tenants/shop/tokens", json={"name": f"x) of {victim}", "role": "owner"})).json()["token"]
        assert (
            await web.client.patch("/api/tenants/shop", json={"name": "n"}, headers={"Authorization": f"Bearer {made}"})
        ).status_code == 200
        await client.delete(f"/api/tenants/shop/devices/{victim}")
        assert "victim@" not in (await client.get("/api/tenants/shop/audit")).text


async def test_the_last_super_admin_and_an_only_owner_stay(web: Web) -> None:
    root = person(web, "root@example.com", is_super_admin=True)
    assert await _delete(web, root) == (409, "user.last_super_admin")
    for slug in ("first", "second", "third"):
        await _tenant(web, slug)
        web.member(slug, ADA, "owner")
    web.member("third", BEN, "owner")
    answer = await web.client.delete(f"/api/users/{ADA}")
    assert (answer.status_code, answer.json()["code"]) == (409, "user.sole_owner")
    assert "`first`, `second`" in answer.json()["detail"]
    assert "`third`" not in answer.json()["detail"]
    assert (await web.client.patch(f"/api/users/{BEN}", json={"disabled": True})).status_code == 200
    assert "`third`" in (await web.client.delete(f"/api/users/{ADA}")).json()["detail"], "a user who cannot sign in owns nothing"
    assert (await web.client.get(f"/api/users/{ADA}")).json()["email"] == ADA


async def test_two_owners_deleted_at_once_leave_one(web: Web) -> None:
    await _tenant(web, "shop")
    people = [f"p{number}@example.com" for number in range(6)]
    for one in people:
        web.member("shop", one, "owner")
    answers = await asyncio.gather(*(web.client.delete(f"/api/users/{one}") for one in people))
    assert sorted(answer.status_code for answer in answers) == [204] * 5 + [409]


async def test_who_takes_a_member_from_tenants_says_why(web: Web) -> None:
    await _tenant(web, "shop")
    web.member("shop", BEN, "owner")
    web.member("shop", ADA, "viewer")
    root = signed_in(web, person(web, "root@example.com", is_super_admin=True))
    async with root.client as client:
        assert (await client.delete(f"/api/users/{ADA}")).json()["code"] == "reason.needed"
        assert (await web.client.get(f"/api/users/{ADA}")).status_code == 200
        assert (await client.delete(f"/api/users/{ADA}", headers={"X-Reason": "asked by mail"})).status_code == 204
        web.user(ADA)
        assert (await client.delete(f"/api/users/{ADA}")).status_code == 204, "no tenant gets an entry"
    removed = (await web.client.get("/api/tenants/shop/audit?action=member.remove")).json()["items"]
    assert [item["changes"]["reason"] for item in removed] == ["asked by mail"]
    web.member("shop", "carl@example.com", "viewer")
    assert await _delete(web, "carl@example.com") == (204, "")
    removed = (await web.client.get("/api/tenants/shop/audit?action=member.remove")).json()["items"]
    assert removed[0]["changes"]["reason"] == "test", "of a token of the host its name"


async def test_deleting_needs_a_fresh_code_and_a_super_admin(web: Web) -> None:
    web.user(ADA)
    old = signed_in(web, person(web, "root@example.com", is_super_admin=True), stepped_up_at=AT)
    async with old.client as client:
        assert (await client.delete(f"/api/users/{ADA}")).json()["code"] == "session.step_up_needed"
    plain = signed_in(web, person(web, BEN))
    async with plain.client as client:
        assert (await client.delete(f"/api/users/{ADA}")).status_code == 403


async def test_the_same_address_begins_anew(web: Web) -> None:
    await _tenant(web, "shop")
    first = web.user(ADA)
    web.member("shop", ADA, "manager")
    assert await _delete(web, ADA) == (204, "")
    made = await web.client.post("/api/users", json={"email": ADA})
    assert made.status_code == 201
    assert made.json()["id"] != first
    async with browser(web) as client:
        await sign_in(web, client, ADA)
        assert (await client.get("/api/me/tenants")).json()["items"] == []


@pytest.mark.parametrize("late", ["code", "session"])
async def test_what_was_begun_before_ends_with_the_person(web: Web, late: str) -> None:
    web.user(ADA)
    async with browser(web) as client:
        if late == "session":
            await sign_in(web, client, ADA)
        else:
            assert (await client.post(CODE, json={"email": ADA})).status_code == 202
            code = messages(web, ADA)[-1][1]["code"]
        assert await _delete(web, ADA) == (204, "")
        answer = await (client.get("/api/me") if late == "session" else client.post("/api/auth/otp/verify", json={"code": code}))
        assert answer.status_code == 401


async def test_an_address_he_had_before_is_in_no_row_either(web: Web) -> None:
    await _tenant(web, "shop")
    ada = web.user(ADA)
    assert (await web.client.post("/api/tenants/shop/members", json={"email": ADA})).status_code == 201

    def move(tx: Tx) -> None:
        users.readdress(tx, ada, "lovelace@example.com")  # type: ignore[arg-type]
        erasure.leave_address(tx, ada, ADA, "lovelace@example.com", AT)  # type: ignore[arg-type]

    earlier = "INSERT INTO outbox VALUES ('mail_x', 'login_code', ?, 'sent', NULL, 1, ?, NULL, ?, ?, ?)"
    web.database.write_now(lambda tx: tx.execute(earlier, (ADA, AT, AT, AT, AT)))
    web.database.write_now(move)
    assert web.database.read(lambda tx: _holding(tx, ADA)) == set()
    assert await _delete(web, "lovelace@example.com") == (204, "")
    assert web.database.read(lambda tx: _holding(tx, "lovelace@example.com")) == set()
