"""Suspending a tenant: who may, what its members can still do, and what the database itself refuses."""

from tests.web.conftest import AT, Web
from zcplatform.core.holds import Hold, HoldKind
from zcplatform.store import audit, holds, operations, tenants
from zcplatform.store.db import Tx, require

WHY = {"reason": "the bill of March"}


async def _deployed(web: Web) -> dict[str, str]:
    """A tenant that is wanted running; its owner's headers."""
    web.image()
    assert (await web.client.post("/api/tenants", json={"slug": "shop"})).status_code == 201
    assert (await web.client.post("/api/tenants/shop/deploy")).status_code == 202
    return web.member("shop", "ann@example.com", "owner")


async def test_nobody_in_a_suspended_tenant_can_start_it(web: Web) -> None:
    """S-72. Nor by a change, nor by going back to an older revision."""
    owner = await _deployed(web)
    told = await web.client.post("/api/tenants/shop/suspend", json=WHY)
    assert (told.status_code, told.json()["kind"]) == (202, "tenant.stop")
    assert (await web.client.post("/api/tenants/shop/suspend", json=WHY)).json()["id"] == told.json()["id"], (
        "a repeated request is one request"
    )
    for verb in ("deploy", "start", "restart"):
        for headers in (owner, {}):
            answer = await web.client.post(f"/api/tenants/shop/{verb}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (409, "tenant.suspended")
            assert WHY["reason"] in answer.json()["detail"]
    for verb in ("suspend", "resume"):
        answer = await web.client.post(f"/api/tenants/shop/{verb}", headers=owner, **({"json": WHY} if verb == "suspend" else {}))
        assert answer.status_code == 403
    assert (await web.client.patch("/api/tenants/shop", json={"plan": "starter"})).status_code == 200
    assert (await web.client.post("/api/tenants/shop/stop", headers=owner)).status_code in (200, 202)
    assert (await web.client.get("/api/tenants/shop")).json()["wanted"] == "stopped"


async def test_suspended_again_a_stop_that_failed_is_begun_again(web: Web) -> None:
    await _deployed(web)
    told = (await web.client.post("/api/tenants/shop/suspend", json=WHY)).json()
    web.database.write_now(lambda tx: operations.fail(tx, told["id"], AT, "engine.refused", "no", ""))
    again = await web.client.post("/api/tenants/shop/suspend", json=WHY)
    assert (again.status_code, again.json()["kind"]) == (202, "tenant.stop")
    assert again.json()["id"] != told["id"]
    assert (await web.client.post("/api/tenants/shop/resume")).json()["kind"] == "tenant.start", "it ran when it was suspended"


async def test_who_ran_before_runs_again_when_it_is_resumed(web: Web) -> None:
    await _deployed(web)
    await web.client.post("/api/tenants/shop/suspend", json=WHY)
    resumed = await web.client.post("/api/tenants/shop/resume")
    assert (resumed.status_code, resumed.json()["kind"]) == (202, "tenant.start")
    assert (await web.client.get("/api/tenants/shop")).json()["wanted"] == "running"
    assert (await web.client.post("/api/tenants/shop/resume")).json()["id"] == resumed.json()["id"]
    entries = web.database.read(lambda tx: audit.page(tx, audit.Filter(), None, 20))
    assert [one.entry.action for one in entries if one.entry.action in ("tenant.suspend", "tenant.resume")] == [
        "tenant.resume",
        "tenant.suspend",
    ]


async def test_who_was_stopped_by_his_owner_meanwhile_stays_stopped_when_resumed(web: Web) -> None:
    owner = await _deployed(web)
    await web.client.post("/api/tenants/shop/suspend", json=WHY)
    assert (await web.client.post("/api/tenants/shop/stop", headers=owner)).status_code == 202
    await web.client.post("/api/tenants/shop/resume")
    assert (await web.client.get("/api/tenants/shop")).json()["wanted"] == "stopped"


async def test_a_draft_can_be_suspended_and_starts_nothing_when_resumed(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    told = (await web.client.post("/api/tenants/shop/suspend", json=WHY)).json()
    assert (told["state"], told["reason"]) == ("suspended", "suspended: the bill of March")
    assert (await web.client.post("/api/tenants/shop/deploy")).json()["code"] == "tenant.suspended"
    assert (await web.client.post("/api/tenants/shop/resume")).json()["state"] == "draft"
    assert (await web.client.delete("/api/tenants/shop")).status_code == 202


async def test_two_holds_are_lifted_each_by_its_own_cause(web: Web) -> None:
    await _deployed(web)
    row = require(web.database.read(lambda tx: tenants.find(tx, "shop")))
    quota = Hold(HoldKind.QUOTA, "no messages left today", AT, "usage")

    def change(tx: Tx, hold: Hold | None) -> None:
        holds.put(tx, row.id, hold) if hold else holds.lift(tx, row.id, HoldKind.QUOTA)
        tenants.want(tx, require(tenants.get(tx, row.id)), AT)

    web.database.write_now(lambda tx: change(tx, quota))
    assert (await web.client.post("/api/tenants/shop/restart")).json()["code"] == "tenant.over_quota"
    await web.client.post("/api/tenants/shop/suspend", json=WHY)
    shown = (await web.client.get("/api/tenants/shop")).json()
    assert [(hold["kind"], hold["reason"]) for hold in shown["holds"]] == [("quota", quota.reason), ("suspended", WHY["reason"])]
    assert shown["wanted"] == "running", "what its members want is kept"
    resumed = await web.client.post("/api/tenants/shop/resume")
    assert (resumed.status_code, [hold["kind"] for hold in resumed.json()["holds"]]) == (200, ["quota"]), "it is not started"
    web.database.write_now(lambda tx: change(tx, None))
    assert (await web.client.get("/api/tenants/shop")).json()["holds"] == []
    assert (await web.client.post("/api/tenants/shop/restart")).json()["kind"] == "tenant.restart"


async def test_a_hold_of_an_unknown_kind_holds_the_tenant_too(web: Web) -> None:
    await _deployed(web)

    def plant(tx: Tx) -> None:
        tx.execute("PRAGMA ignore_check_constraints = ON")
        tx.execute("INSERT INTO holds SELECT id, 'newer', 'of a newer version', ?, 'x' FROM tenants", (AT,))

    web.database.write_now(plant)
    row = require(web.database.read(lambda tx: tenants.find(tx, "shop")))
    assert row.effective_wanted == "stopped"
