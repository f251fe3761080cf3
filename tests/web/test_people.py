"""Users, members, invitations, tokens and plans, asked over the API by people with different standing."""

import asyncio
import json
from dataclasses import replace

import httpx2
import pytest

from tests.web.test_people_rows import host
from zcplatform import clock
from zcplatform.core.mails import mail
from zcplatform.core.roles import Role
from zcplatform.ops import invitations
from zcplatform.ops.context import Call, Context
from zcplatform.store import members as member_rows
from zcplatform.store import tenants as tenant_rows
from zcplatform.store import tokens as token_rows
from zcplatform.store.db import Tx, scalar

from .conftest import AT, Web
from .people import messages, person, signed_in

PEPPER = b"p" * 32


async def test_a_super_admin_makes_shows_and_disables_users(web: Web) -> None:
    made = await web.client.post("/api/users", json={"email": "Ada@Example.com", "name": "Ada"})
    assert (made.status_code, made.json()["email"]) == (201, "ada@example.com")
    again = await web.client.post("/api/users", json={"email": "ada@example.COM"})
    assert (again.status_code, again.json()["code"]) == (409, "user.exists")
    ada = made.json()["id"]
    as_ada = {"Authorization": f"Bearer {web.token_of(ada)}"}
    assert (await web.client.get("/api/me", headers=as_ada)).json()["user"]["name"] == "Ada"
    assert (await web.client.get("/api/users", headers=as_ada)).json()["code"] == "access.denied"
    off = await web.client.patch(f"/api/users/{ada}", json={"disabled": True})
    assert off.json()["disabled_at"]
    refused = await web.client.get("/api/me", headers=as_ada)
    assert (refused.status_code, refused.json()["code"]) == (401, "user.disabled")
    await web.client.patch(f"/api/users/{ada}", json={"disabled": False})
    assert (await web.client.get("/api/me", headers=as_ada)).status_code == 200


async def test_who_disables_a_tenants_only_owner_is_told_which_wait_for_another(web: Web) -> None:
    for slug in ("hers", "both"):
        await web.client.post("/api/tenants", json={"slug": slug})
        web.member(slug, "ada@example.com", "owner")
    web.member("both", "bob@example.com", "owner")
    assert (await web.client.get("/api/users/ada@example.com")).json()["only_owner_of"] == ["hers"]
    off = await web.client.patch("/api/users/bob@example.com", json={"disabled": True})
    assert (off.status_code, off.json()["only_owner_of"]) == (200, [])
    off = await web.client.patch("/api/users/ada@example.com", json={"disabled": True})
    assert (off.status_code, off.json()["only_owner_of"]) == (200, ["both", "hers"]), "who is disabled is no other owner"


async def test_a_super_admin_who_is_a_lesser_member_says_why_where_his_role_does_not_reach(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    root = (await web.client.post("/api/users", json={"email": "root@example.com", "is_super_admin": True})).json()["id"]
    headers = web.member("shop", "root@example.com", "contributor") | {"Authorization": f"Bearer {web.token_of(root)}"}
    for body in ({"name": "Renamed"}, {"plan": "enterprise"}):
        answer = await web.client.patch("/api/tenants/shop", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "reason.needed")
    told = await web.client.patch("/api/tenants/shop", json={"plan": "starter"}, headers={**headers, "X-Reason": "asked by phone"})
    assert told.status_code == 200
    (entry,) = (await web.client.get("/api/tenants/shop/audit?action=tenant.change")).json()["items"]
    assert (entry["role"], entry["changes"]["reason"]) == ("super-admin", "asked by phone")


@pytest.mark.parametrize(
    "path",
    [
        "audit?since=0001-01-01T00:00:00%2B14:00",
        "audit?cursor=99999999999999999999999",
        "logs?since=0001-01-01T00:00:00%2B14:00",
        "logs?since=9999-12-31T23:59:59-14:00",
        "revisions?cursor=99999999999999999999999",
    ],
)
async def test_times_and_places_beyond_all_bounds_are_422(web: Web, path: str) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    assert (await web.client.get(f"/api/tenants/shop/{path}")).status_code == 422


@pytest.mark.parametrize("email", ["", "ada", "a@b@c.de", "ada@example.com\r\nBcc: x@y.z", "ad\u0430@example.com", "a" * 400 + "@b.de"])
async def test_what_is_no_address_is_refused(web: Web, email: str) -> None:
    assert (await web.client.post("/api/users", json={"email": email})).status_code == 422


async def test_the_last_super_admin_stays(web: Web) -> None:
    root = (await web.client.post("/api/users", json={"email": "root@example.com", "is_super_admin": True})).json()["id"]
    for wish in ({"disabled": True}, {"is_super_admin": False}):
        answer = await web.client.patch(f"/api/users/{root}", json=wish)
        assert (answer.status_code, answer.json()["code"]) == (409, "user.last_super_admin")
    await web.client.post("/api/users", json={"email": "other@example.com", "is_super_admin": True})
    assert (await web.client.patch(f"/api/users/{root}", json={"is_super_admin": False})).status_code == 200


async def test_who_makes_a_tenant_owns_it(web: Web) -> None:
    root = web.user("root@example.com", is_super_admin=True)
    headers = {"Authorization": f"Bearer {web.token_of(root)}"}
    await web.client.post("/api/tenants", json={"slug": "shop"}, headers=headers)
    told = (await web.client.get("/api/me/tenants", headers=headers)).json()["items"]
    assert [(item["slug"], item["role"]) for item in told] == [("shop", "owner")]


async def test_a_user_sees_only_his_tenants_and_their_operations(web: Web) -> None:
    web.image()
    for slug in ("shop", "other"):
        await web.client.post("/api/tenants", json={"slug": slug})
    operations = {slug: (await web.client.post(f"/api/tenants/{slug}/deploy")).json()["id"] for slug in ("shop", "other")}
    headers = web.member("shop", "ada@example.com", "viewer")
    assert [item["slug"] for item in (await web.client.get("/api/tenants", headers=headers)).json()["items"]] == ["shop"]
    assert (await web.client.get(f"/api/operations/{operations['shop']}", headers=headers)).status_code == 200
    hidden = await web.client.get(f"/api/operations/{operations['other']}", headers=headers)
    nothing = await web.client.get("/api/operations/op_" + "0" * 22, headers=headers)
    assert hidden.status_code == nothing.status_code == 404
    assert hidden.json()["code"] == nothing.json()["code"]
    hidden, nothing = [await web.client.get(f"/api/tenants/{slug}", headers=headers) for slug in ("other", "nope-")]
    assert hidden.text.replace("other", "nope-") == nothing.text


async def _invite(web: Web, email: str, role: str, headers: dict[str, str] | None = None) -> httpx2.Response:
    return await web.client.post("/api/tenants/shop/members", json={"email": email, "role": role}, headers=headers or {})


def _token(answer: httpx2.Response) -> str:
    return str(answer.json()["link"]).partition("#token=")[2]


async def _accept(web: Web, user: str, token: str) -> httpx2.Response:
    return await web.client.post(
        "/api/invitations/accept", json={"token": token}, headers={"Authorization": f"Bearer {web.token_of(user)}"}
    )


async def test_an_invitation_is_for_one_address_once(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    made = await _invite(web, "Ada@example.com", "manager")
    token = _token(made)
    assert len(token) >= 22
    held = b"".join(path.read_bytes() for path in web.settings.database.parent.iterdir())
    assert token.encode() not in held
    ada = web.user_of("ada@example.com")
    mallory = web.user("mallory@example.com")
    assert (await _accept(web, mallory, token)).json()["code"] == "invitation.unknown"
    assert (await _accept(web, ada, token + "x")).json()["code"] == "invitation.unknown"
    assert (await _accept(web, ada, token)).json()["role"] == "manager"
    assert (await _accept(web, ada, token)).json()["code"] == "invitation.unknown"
    assert (await _invite(web, "ada@example.com", "viewer")).json()["code"] == "member.exists"


async def test_where_there_is_mail_only_the_mail_has_the_link(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop", "name": "The\u2028Shop"})
    context: Context = web.client._transport.app.state.context  # type: ignore[attr-defined]
    with_mail = context.settings.model_copy(update={"mail_host": "mail.example.com", "mail_from": "zc@example.com"})
    posting, at = replace(context, settings=with_mail), clock.text(clock.now())

    def invite(tx: Tx) -> str | None:
        return invitations.create(Call(tx, posting, host(), at), "shop", "ada@example.com", Role.MANAGER).value.token

    assert web.database.write_now(invite) is None
    ((_, values),) = messages(web, "ada@example.com")
    text = mail("invitation", values, "https://panel.example.com").text
    assert "has invited you to The Shop as manager" in text
    assert (await _accept(web, web.user_of("ada@example.com"), values["token"])).json()["role"] == "manager"
    held = b"".join(path.read_bytes() for path in web.settings.database.parent.iterdir())
    assert values["token"].encode() not in held


async def test_an_invitation_ends_when_it_is_revoked_replaced_or_old(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    first = await _invite(web, "ada@example.com", "viewer")
    second = await _invite(web, "ada@example.com", "viewer")
    ada = web.user_of("ada@example.com")
    assert (await _accept(web, ada, _token(first))).status_code == 404
    gone = await web.client.delete(f"/api/tenants/shop/invitations/{second.json()['id']}")
    assert gone.status_code == 204
    assert (await _accept(web, ada, _token(second))).status_code == 404
    third = await _invite(web, "ada@example.com", "viewer")
    web.database.write_now(lambda tx: tx.execute("UPDATE invitations SET expires_at = ?", (AT,)))
    assert (await _accept(web, ada, _token(third))).status_code == 404


async def test_nobody_invites_above_himself_and_a_fallen_inviter_gives_nothing(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    manager = web.member("shop", "max@example.com", "manager")
    assert (await _invite(web, "ada@example.com", "owner", manager)).status_code == 403
    token = _token(await _invite(web, "ada@example.com", "manager", manager))
    web.member("shop", "max@example.com", "viewer")
    ada = web.user_of("ada@example.com")
    assert (await _accept(web, ada, token)).json()["code"] == "invitation.void"


@pytest.mark.parametrize("fall", ["removed", "demoted", "disabled", "deleted"])
async def test_a_service_account_leaves_no_way_in_for_who_made_it(web: Web, fall: str) -> None:
    """Its invitations are worth no more than the person who made it, when they are accepted."""
    shop = (await web.client.post("/api/tenants", json={"slug": "shop", "plan": "pro"})).json()["id"]
    web.member("shop", "olga@example.com", "owner")
    maker = signed_in(web, person(web, "max@example.com"))
    web.member("shop", "max@example.com", "manager")
    async with maker.client as client:
        made = (await client.post("/api/tenants/shop/tokens", json={"name": "ci", "role": "manager"})).json()["token"]
    as_service = {"Authorization": f"Bearer {made}"}
    good = _token(await _invite(web, "good@example.com", "manager", as_service))
    assert (await _accept(web, web.user_of("good@example.com"), good)).status_code == 200
    token = _token(await _invite(web, "mallory@example.com", "manager", as_service))
    match fall:
        case "removed":
            web.database.write_now(lambda tx: member_rows.remove(tx, shop, maker.user_id))
        case "demoted":
            web.member("shop", "max@example.com", "viewer")
        case "disabled":
            assert (await web.client.patch(f"/api/users/{maker.user_id}", json={"disabled": True})).status_code == 200
        case _:
            assert (await web.client.delete(f"/api/users/{maker.user_id}")).status_code == 204
    refused = await _accept(web, web.user_of("mallory@example.com"), token)
    assert refused.json()["code"] in ("invitation.void", "invitation.unknown")


@pytest.mark.parametrize("name", ["a\u202eb", "a\u2066b", "a\x1bb", "a\nb", "\x7f"])
async def test_no_name_turns_what_stands_around_it(web: Web, name: str) -> None:
    """Control characters and those that turn the direction of writing."""
    await web.client.post("/api/tenants", json={"slug": "shop"})
    for path in ("/api/me", "/api/tenants/shop"):
        headers = web.member("shop", "max@example.com", "owner")
        assert (await web.client.patch(path, json={"name": name}, headers=headers)).status_code == 422
        assert (await web.client.patch(path, json={"name": "Zoë \u05d0\u05d1 \u4e2d"}, headers=headers)).status_code == 200


async def test_an_invitation_link_is_never_replayed(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    key = {"Idempotency-Key": "k"}
    assert (await _invite(web, "ada@example.com", "viewer", key)).status_code == 201
    assert (await _invite(web, "ada@example.com", "viewer", key)).json()["code"] == "idempotency.already_issued"


async def test_nobody_is_written_to_all_day(web: Web) -> None:
    for slug in ("shop", "other"):
        await web.client.post("/api/tenants", json={"slug": slug})
    codes = [(await _invite(web, "ada@example.com", "viewer")).status_code for _ in range(11)]
    assert codes == [201] * 10 + [429]
    other = await web.client.post("/api/tenants/other/members", json={"email": "ada@example.com"})
    assert (other.status_code, other.json()["code"]) == (429, "invitation.too_many")


async def test_roles_are_given_up_to_ones_own(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    owner_headers = web.member("shop", "olga@example.com", "owner")
    manager = web.member("shop", "max@example.com", "manager")
    web.member("shop", "vera@example.com", "viewer")
    olga, vera = web.user_of("olga@example.com"), web.user_of("vera@example.com")

    async def give(user: str, role: str, headers: dict[str, str]) -> int:
        return (await web.client.patch(f"/api/tenants/shop/members/{user}", json={"role": role}, headers=headers)).status_code

    assert await give(vera, "manager", manager) == 200
    assert await give(vera, "owner", manager) == 403
    assert await give(olga, "viewer", manager) == 403
    assert (await web.client.delete(f"/api/tenants/shop/members/{olga}", headers=manager)).status_code == 403
    assert await give(vera, "owner", owner_headers) == 403  # a token never steps up
    assert (await web.client.post("/api/tenants/shop/leave", headers=owner_headers)).json()["code"] == "member.last_owner"
    assert (await web.client.post("/api/tenants/shop/leave", headers=manager)).status_code == 204
    assert (await web.client.get("/api/tenants/shop", headers=manager)).status_code == 404


async def test_a_member_of_another_tenant_is_unknown_here(web: Web) -> None:
    for slug in ("shop", "other"):
        await web.client.post("/api/tenants", json={"slug": slug})
    owner = web.member("shop", "olga@example.com", "owner")
    web.member("other", "eve@example.com", "viewer")
    eve = web.user_of("eve@example.com")
    answer = await web.client.patch(f"/api/tenants/shop/members/{eve}", json={"role": "viewer"}, headers=owner)
    assert (answer.status_code, answer.json()["code"]) == (404, "member.unknown")
    assert (await web.client.delete(f"/api/tenants/shop/members/{eve}", headers=owner)).status_code == 404
    assert (await web.client.get("/api/tenants/other/members", headers=owner)).status_code == 404


async def test_a_service_account_is_bound_to_its_tenant_role_scopes_and_maker(web: Web) -> None:
    for slug in ("shop", "other"):
        await web.client.post("/api/tenants", json={"slug": slug})
    made = await web.client.post("/api/tenants/shop/tokens", json={"name": "ci", "role": "contributor", "scopes": ["tenant.read"]})
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert made.json()["token"].startswith("zcp_")
    assert (await web.client.get("/api/tenants/shop", headers=headers)).status_code == 200
    assert (await web.client.get("/api/tenants/other", headers=headers)).status_code == 404
    assert (await web.client.get("/api/events", headers=headers)).status_code == 403
    assert (await web.client.post("/api/tenants/shop/deploy", headers=headers)).status_code == 403
    assert [item["role"] for item in (await web.client.get("/api/me/tenants", headers=headers)).json()["items"]] == ["contributor"]
    listed = (await web.client.get("/api/tenants/shop/tokens")).text
    assert made.json()["token"] not in listed
    assert (await web.client.delete(f"/api/tenants/other/tokens/{made.json()['id']}")).status_code == 404
    assert (await web.client.delete(f"/api/tenants/shop/tokens/{made.json()['id']}")).status_code == 204
    assert (await web.client.get("/api/tenants/shop", headers=headers)).status_code == 401


async def test_a_service_account_ends_with_its_tenant(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    made = await web.client.post("/api/tenants/shop/tokens", json={"name": "ci"})
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await web.client.get("/api/me", headers=headers)).status_code == 200
    row = web.database.read(tenant_rows.everything)[0]
    web.database.write_now(lambda tx: tenant_rows.record_seen(tx, row.id, row.generation, AT, {"deleted_at": AT}))
    assert (await web.client.get("/api/me", headers=headers)).status_code == 401


async def test_a_token_is_not_replayed_and_ends_with_the_one_that_made_it(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    key = {"Idempotency-Key": "k", "Authorization": f"Bearer {web.token()}"}
    made = await web.client.post("/api/tenants/shop/tokens", json={"name": "ci"}, headers=key)
    again = await web.client.post("/api/tenants/shop/tokens", json={"name": "ci"}, headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency.already_issued")
    maker = web.database.read(lambda tx: scalar(tx, "SELECT maker_token_id FROM tokens WHERE id = ?", made.json()["id"]))
    web.database.write_now(lambda tx: token_rows.revoke(tx, maker, AT))
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await web.client.get("/api/tenants/shop", headers=headers)).status_code == 401


async def test_no_token_makes_another_persons_token(web: Web) -> None:
    ada = web.user("ada@example.com")
    answer = await web.client.post("/api/me/tokens", json={"name": "more"}, headers={"Authorization": f"Bearer {web.token_of(ada)}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "session.step_up_needed")
    assert (await web.client.post("/api/me/tokens", json={"name": "more"})).json()["code"] == "user.not_a_person"


async def test_an_operator_edits_a_plan(web: Web) -> None:
    assert [item["name"] for item in (await web.client.get("/api/plans")).json()["items"]] == ["free", "starter", "pro", "enterprise"]
    answer = await web.client.patch("/api/plans/free", json={"members": 7, "channels": 0})
    assert (answer.status_code, answer.json()["members"], answer.json()["channels"]) == (200, 7, 0)
    small = await web.client.patch("/api/plans/free", json={"memory_bytes": 1})
    assert (small.status_code, list(small.json()["fields"])) == (422, ["memory_bytes"])
    assert (await web.client.patch("/api/plans/nope", json={"members": 7})).status_code == 404


async def test_a_plan_s_ceilings_bind_what_is_saved(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop", "plan": "free"})
    ceilings = {"most_level": "readonly", "excluded_tools": ["shell", "mcp:docs.x"]}
    answer = await web.client.patch("/api/plans/free", json=ceilings)
    assert answer.status_code == 200
    listed = {item["name"]: item for item in (await web.client.get("/api/plans")).json()["items"]}
    assert {name: listed["free"][name] for name in ceilings} == {name: answer.json()[name] for name in ceilings} == ceilings
    assert listed["starter"]["excluded_tools"] == []
    for risk in ({"level": "supervised"}, {"level": "readonly", "auto_approve": ["shell"]}):
        refused = await web.client.patch("/api/tenants/shop/config", json={"settings": {"risk": risk}})
        assert refused.status_code == 422, risk
        assert [field.split(".")[0] for field in refused.json()["fields"]] == ["risk"]
    assert (await web.client.patch("/api/tenants/shop/config", json={"settings": {"risk": {"level": "readonly"}}})).status_code == 200
    for wrong in ({"most_level": "all"}, {"excluded_tools": ["a b"]}, {"excluded_tools": ["x" * 81]}, {"excluded_tools": ["x"] * 201}):
        assert (await web.client.patch("/api/plans/free", json=wrong)).status_code == 422, wrong


async def test_a_hundred_invitations_at_once_keep_to_the_plan(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    web.member("shop", "olga@example.com", "owner")
    answers = await asyncio.gather(*(_invite(web, f"p{number}@example.com", "viewer") for number in range(100)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 98
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"plan.members"}


async def test_a_super_admin_in_anothers_tenant_leaves_a_reason_there(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    web.member("shop", "olga@example.com", "owner")
    root = web.user("root@example.com", is_super_admin=True)
    headers = {"Authorization": f"Bearer {web.token_of(root)}", "X-Reason": "ticket 7\tplease"}
    await web.client.patch("/api/tenants/shop", json={"name": "New"}, headers=headers)
    for listed in ("members", "invitations", "tokens"):
        assert (await web.client.get(f"/api/tenants/shop/{listed}", headers=headers)).status_code == 200
    await web.client.post("/api/tenants/shop/members", json={"email": "x@example.com"}, headers=headers)
    rows = web.database.read(
        lambda tx: tx.execute("SELECT action, role, changes, tenant_id FROM audit_log ORDER BY sequence DESC LIMIT 6").fetchall()
    )
    assert [row[0] for row in rows] == ["invitation.create", "user.create", "token.manage", "member.manage", "member.read", "tenant.change"]
    for action, role, changes, tenant_id in rows:
        if action == "user.create":
            continue
        assert (role, json.loads(changes)["reason"], tenant_id[:4]) == ("super-admin", "ticket 7please", "ten_")


async def test_who_must_say_why_and_whose_name_says_it(web: Web) -> None:
    """A user acting above their role there, not a member within it. A host's token is named by its name. The whole log, asked for one tenant, is that tenant's."""
    shop = (await web.client.post("/api/tenants", json={"slug": "shop"})).json()["id"]
    root = web.user("root@example.com", is_super_admin=True)
    headers = web.member("shop", "root@example.com", "viewer")

    async def ask(**more: str) -> str:
        answer = await web.client.patch("/api/tenants/shop", json={"name": "New"}, headers={**headers, **more})
        return "done" if answer.is_success else str(answer.json()["code"])

    assert await ask() == "reason.needed"
    assert await ask(**{"X-Reason": " \t "}) == "reason.needed"
    assert await ask(**{"X-Reason": "ticket 7"}) == "done"
    assert (await web.client.get("/api/tenants/shop/members", headers=headers)).status_code == 200, "a viewer reads these"
    web.member("shop", "root@example.com", "owner")
    assert await ask() == "done"
    web.database.write_now(lambda tx: member_rows.remove(tx, shop, root))
    for path, code in (
        (f"/api/audit?tenant={shop}", "reason.needed"),
        ("/api/audit?tenant=shop", "reason.needed"),
        ("/api/audit?tenant=..%2Fshop", "tenant.unknown"),
        ("/api/audit", ""),
        (f"/api/audit?tenant={shop}&format=csv", "reason.needed"),
    ):
        answer = await web.client.get(path, headers=headers)
        assert (answer.json()["code"] if code else answer.status_code) == (code or 200)
    read = await web.client.get("/api/audit?tenant=shop", headers={**headers, "X-Reason": "ticket 8"})
    assert {item["tenant_id"] for item in read.json()["items"]} == {shop}
    assert (await web.client.get("/api/tenants/shop/config")).status_code == 200, "of the host"
    seen = (await web.client.get("/api/tenants/shop/audit?limit=3")).json()["items"]
    assert [(item["action"], item["changes"].get("reason")) for item in seen] == [
        ("audit.read", "test"), ("config.read", "test"), ("audit.read", "ticket 8"),
    ]  # fmt: skip


@pytest.mark.parametrize("extra", ["tenant_id", "role_id", "is_admin", "created_at", "user_id", "status"])
async def test_nothing_is_set_that_is_not_meant_to_be(web: Web, extra: str) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    bodies: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/api/users", {"email": "x@example.com"}),
        ("POST", "/api/tenants/shop/members", {"email": "x@example.com"}),
        ("POST", "/api/tenants/shop/tokens", {"name": "x"}),
        ("PATCH", "/api/plans/free", {"members": 3}),
    ]
    for method, path, body in bodies:
        assert (await web.client.request(method, path, json={**body, extra: "x"})).status_code == 422
