"""What the API answers, on a real database: writes what is wanted, never waits, and says clearly what is wrong."""

import asyncio
from typing import Any

import pytest

from zcplatform.store import audit, operations, secrets, tenants
from zcplatform.store.db import scalar
from zcplatform.vault.opening import CannotOpen, open_box
from zcplatform.vault.sealing import SecretBinding

from .conftest import AT, Web

PROVIDER = {"family": "custom", "model": "echo", "base_url": "http://198.51.100.10:8391/v1", "api_key": "sk-canary-7f3a"}


def _actions(web: Web) -> list[str]:
    return [str(row[0]) for row in web.database.read(lambda tx: tx.execute("SELECT action FROM audit_log ORDER BY sequence").fetchall())]


async def test_a_tenant_is_created_as_a_draft(web: Web) -> None:
    answer = await web.client.post("/api/tenants", json={"slug": "shop"})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["slug"], told["state"], told["plan"], told["url"]) == ("shop", "draft", "free", "http://shop.localhost/")
    assert (await web.client.get("/api/tenants/shop")).json() == told
    assert (await web.client.get(f"/api/tenants/{told['id']}")).json() == told
    assert _actions(web) == ["tenant.create"]


@pytest.mark.parametrize(
    "slug", ["*", "a.b", "A", "-a", "ab", "xn--abc", "аcme", "abc\n", "", "a" * 33, "www", "api", "admin", "panel", "localhost"]
)
async def test_a_wrong_slug_is_refused(web: Web, slug: str) -> None:
    answer = await web.client.post("/api/tenants", json={"slug": slug})
    assert answer.status_code == 422
    assert "slug" in answer.json()["fields"]
    assert web.database.read(tenants.everything) == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"slug": "shop", "plan": "gold"}, 422, "plan.unknown"),
        ({"slug": "shop", "image": "nope"}, 422, "image.unknown"),
        ({"slug": "shop", "provider": {"family": "nope", "model": "m"}}, 422, "settings.bad"),
        ({"slug": "shop", "provider": {"family": "custom", "model": "m", "base_url": "http://127.0.0.1:1/v1"}}, 422, "settings.bad"),
        ({"slug": "shop", "provider": {"family": "custom", "model": "m", "base_url": "http://169.254.169.254/"}}, 422, "settings.bad"),
        ({"slug": "shop", "provider": {"family": "custom", "model": "m", "base_url": "http://0x7f.1/"}}, 422, "settings.bad"),
        ({"slug": "shop", "provider": {"family": "custom", "model": "m", "base_url": "http://[::1]/"}}, 422, "settings.bad"),
        ({"slug": "shop", "provider": {"family": "custom", "model": "m", "base_url": "http://a@example.com/"}}, 422, "settings.bad"),
        ({"slug": "shop", "role": "owner"}, 422, "request.invalid"),
        ({"slug": "shop", "status": "running", "uid": 0}, 422, "request.invalid"),
        ({}, 422, "request.invalid"),
        ([], 422, "request.invalid"),
    ],
)
async def test_bad_input_is_told_by_field(web: Web, body: Any, status: int, code: str) -> None:
    answer = await web.client.post("/api/tenants", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["fields"]


async def test_an_error_never_echoes_a_secret(web: Web) -> None:
    for provider in (
        {**PROVIDER, "api_key": ["sk-canary-7f3a"]},
        {**PROVIDER, "family": 5},
        {**PROVIDER, "base_url": "http://sk-canary-7f3a@x/"},
    ):
        answer = await web.client.post("/api/tenants", json={"slug": "shop", "provider": provider})
        assert answer.status_code == 422
        assert "sk-canary" not in answer.text


async def test_a_slug_is_given_once(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answer = await web.client.post("/api/tenants", json={"slug": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant.exists")


async def test_a_deleted_slug_is_quarantined(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    row = web.database.read(tenants.everything)[0]
    web.database.write_now(lambda tx: tenants.record_seen(tx, row.id, row.generation, AT, {"deleted_at": "2998-01-01T00:00:00.000Z"}))
    answer = await web.client.post("/api/tenants", json={"slug": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant.slug_quarantined")


async def test_deploy_needs_an_image(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answer = await web.client.post("/api/tenants/shop/deploy")
    assert (answer.status_code, answer.json()["code"]) == (409, "image.none")


async def test_deploy_is_accepted_and_shows_its_steps(web: Web) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answer = await web.client.post("/api/tenants/shop/deploy")
    assert answer.status_code == 202
    operation = answer.json()
    assert operation["status"] == "waiting"
    assert [step["name"] for step in operation["steps"]][:2] == ["allocate", "firewall"]
    assert (await web.client.get(f"/api/operations/{operation['id']}")).json() == operation
    assert (await web.client.get("/api/tenants/shop")).json()["state"] == "deploying"
    assert (await web.client.get("/api/tenants/shop/operations")).json()["items"] == [operation]


async def test_fifty_deploys_at_once_are_one_operation(web: Web) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answers = await asyncio.gather(*(web.client.post("/api/tenants/shop/deploy") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_the_last_wish_counts(web: Web) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    deploy = (await web.client.post("/api/tenants/shop/deploy")).json()
    stop = (await web.client.post("/api/tenants/shop/stop")).json()
    assert (await web.client.get(f"/api/operations/{deploy['id']}")).json()["status"] == "superseded"
    assert stop["status"] == "waiting"
    assert (await web.client.get("/api/tenants/shop")).json()["wanted"] == "stopped"
    assert (await web.client.post("/api/tenants/shop/restart")).json()["code"] == "tenant.stopped"


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
async def test_a_draft_is_not_started_stopped_or_restarted(web: Web, verb: str) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answer = await web.client.post(f"/api/tenants/shop/{verb}")
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant.draft")


async def test_capacity_is_counted_in_the_request(web: Web) -> None:
    """Three ports; the worker is down, so nothing is allocated yet and a fourth deploy is still accepted; what is taken counts."""
    web.image()
    web.database.write_now(
        lambda tx: [
            tx.execute("INSERT INTO allocations (kind, number, released_at) VALUES ('port', ?, '2999')", (port,))
            for port in range(20000, 20003)
        ]
    )
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answer = await web.client.post("/api/tenants/shop/deploy")
    assert (answer.status_code, answer.json()["code"]) == (409, "host.exhausted")
    assert "port" in answer.json()["detail"]


async def test_a_repeat_with_the_same_key_gets_the_same_answer(web: Web) -> None:
    key = {"Idempotency-Key": "k1"}
    first = await web.client.post("/api/tenants", json={"slug": "shop"}, headers=key)
    again = await web.client.post("/api/tenants", json={"slug": "shop"}, headers=key)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    other = await web.client.post("/api/tenants", json={"slug": "other"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.mismatch")
    assert _actions(web) == ["tenant.create"]


async def test_another_tokens_key_is_another_key(web: Web) -> None:
    key = {"Idempotency-Key": "k1"}
    await web.client.post("/api/tenants", json={"slug": "shop"}, headers=key)
    answer = await web.client.post("/api/tenants", json={"slug": "shop"}, headers={**key, "Authorization": f"Bearer {web.token()}"})
    assert answer.json()["code"] == "tenant.exists"


async def test_a_pairing_code_is_never_replayed(web: Web) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    await web.client.post("/api/tenants/shop/deploy")
    key = {"Idempotency-Key": "k1"}
    first = await web.client.post("/api/tenants/shop/pairing-code", headers=key)
    assert (first.status_code, first.json()["code"]) == (503, "worker.unreachable")
    assert first.headers["retry-after"]
    again = await web.client.post("/api/tenants/shop/pairing-code", headers=key)
    assert (again.status_code, again.json()["code"]) == (409, "idempotency.already_issued")


async def test_a_submitted_key_is_sealed_and_shown_to_nobody(web: Web) -> None:
    answer = await web.client.post("/api/tenants", json={"slug": "shop", "provider": PROVIDER})
    assert answer.json()["provider"] == {"family": "custom", "model": "echo", "base_url": "http://198.51.100.10:8391/v1", "has_key": True}
    tenant = web.database.read(tenants.everything)[0]
    stored = web.database.read(lambda tx: secrets.get(tx, tenant.id, "provider", "main"))
    assert stored is not None
    assert stored.ciphertext is None
    place = SecretBinding(tenant.id, "provider", "main", "http://198.51.100.10:8391", stored.id, 1)
    assert open_box(web.keys.seal_private, place, stored.box or b"") == "sk-canary-7f3a"
    with pytest.raises(CannotOpen):
        open_box(web.keys.seal_private, SecretBinding(tenant.id, "provider", "main", "other:443", stored.id, 1), stored.box or b"")
    held = b"".join(path.read_bytes() for path in web.settings.database.parent.iterdir())
    assert b"sk-canary" not in held


async def test_another_host_drops_the_key(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop", "provider": PROVIDER})
    same = {key: value for key, value in PROVIDER.items() if key != "api_key"}
    kept = await web.client.patch("/api/tenants/shop", json={"provider": {**same, "model": "echo-2"}})
    assert kept.json()["provider"]["has_key"]
    moved = await web.client.patch("/api/tenants/shop", json={"provider": {**same, "base_url": "https://evil.example.com/v1"}})
    assert moved.json()["provider"]["has_key"] is False
    assert moved.json()["revision"] == 3


async def test_a_change_of_a_draft_starts_nothing(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    answer = await web.client.patch("/api/tenants/shop", json={"plan": "pro", "name": "The Shop"})
    assert (answer.status_code, answer.json()["plan"], answer.json()["name"], answer.json()["state"]) == (200, "pro", "The Shop", "draft")


async def test_a_change_of_a_wanted_running_tenant_is_an_operation(web: Web) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    await web.client.post("/api/tenants/shop/deploy")
    answer = await web.client.patch("/api/tenants/shop", json={"plan": "pro"})
    assert (answer.status_code, answer.json()["kind"]) == (202, "tenant.update")


async def test_deleting_hides_nothing_until_it_is_done(web: Web) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    first = await web.client.delete("/api/tenants/shop")
    again = await web.client.delete("/api/tenants/shop")
    assert (first.status_code, first.json()["id"]) == (202, again.json()["id"])
    assert (await web.client.get("/api/tenants/shop")).json()["state"] == "deleting"
    assert (await web.client.post("/api/tenants/shop/deploy")).json()["code"] == "tenant.deleting"


@pytest.mark.parametrize("verb", ["delete", "stop"])
async def test_what_failed_is_begun_again_by_asking_again(web: Web, verb: str) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    await web.client.post("/api/tenants/shop/deploy")
    ask = ("DELETE", "/api/tenants/shop") if verb == "delete" else ("POST", "/api/tenants/shop/stop")
    failed = (await web.client.request(*ask)).json()["id"]
    web.database.write_now(lambda tx: operations.fail(tx, failed, AT, "engine.refused", "the engine refused", ""))
    answers = [await web.client.request(*ask) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    again = {answer.json()["id"] for answer in answers}
    assert len(again) == 1
    assert failed not in again


async def test_listing_pages_by_slug(web: Web) -> None:
    for slug in ("ccc", "aaa", "bbb"):
        await web.client.post("/api/tenants", json={"slug": slug})
    first = (await web.client.get("/api/tenants?limit=2")).json()
    assert [item["slug"] for item in first["items"]] == ["aaa", "bbb"]
    second = (await web.client.get(f"/api/tenants?limit=2&cursor={first['next_cursor']}")).json()
    assert ([item["slug"] for item in second["items"]], second["next_cursor"]) == (["ccc"], None)
    for limit in ("-1", "0", "1000000000", "x"):
        assert (await web.client.get(f"/api/tenants?limit={limit}")).status_code == 422


async def test_every_change_and_its_audit_entry_commit_together(web: Web) -> None:
    """A failing audit insert takes the change with it: no entry, no mutation."""
    database = web.client._transport.app.state.context.database  # type: ignore[attr-defined]
    broken = "CREATE TEMP TRIGGER no_audit BEFORE INSERT ON main.audit_log BEGIN SELECT RAISE(ABORT, 'no'); END"
    database.write_now(lambda tx: tx.execute(broken))
    answer = await web.client.post("/api/tenants", json={"slug": "shop"})
    assert (answer.status_code, answer.json()["code"]) == (503, "audit.unwritable")
    assert web.database.read(tenants.everything) == []
    assert web.database.read(lambda tx: scalar(tx, "SELECT count(*) FROM events")) == 0


async def test_the_chain_holds_over_many_changes_at_once(web: Web) -> None:
    web.image()
    await asyncio.gather(*(web.client.post("/api/tenants", json={"slug": f"t-{number:03d}"}) for number in range(30)))
    await asyncio.gather(*(web.client.post(f"/api/tenants/t-{number:03d}/deploy") for number in range(3)))
    assert isinstance(web.database.read(audit.verify), int)
