"""The audit log over the API: who reads what, filters, pages, files; refused requests; and that no change is without its entry."""

import csv
import io
import json

import pytest

from tests.web.conftest import AT, Web
from zcplatform.core.audit import Entry
from zcplatform.errors import StorageFull, Unavailable
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Caller, Outcome, RetryKey
from zcplatform.store import audit, plans
from zcplatform.store.db import Tx, connect
from zcplatform.web.denials import MOST, Denial, Denials

TENANT = {"slug": "first", "provider": {"family": "ollama", "model": "m", "base_url": "http://198.51.100.10:8391"}}


async def _entries(web: Web, path: str = "/api/audit", **asked: object) -> list[dict[str, object]]:
    answer = await web.client.get(path, params={"limit": 200, **asked})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def _count(web: Web) -> int:
    return web.database.read(audit.head)[0]


async def test_a_super_admin_reads_all_and_that_is_told(web: Web) -> None:
    await web.client.post("/api/tenants", json=TENANT)
    first = await _entries(web)
    assert [entry["action"] for entry in first] == ["audit.read", "tenant.create"]
    assert first[1]["changes"]["slug"] == [None, "first"]  # type: ignore[index]
    second = await _entries(web, action="audit.")
    assert len(second) == 2
    assert second[0]["changes"] == {"filters": {"action": "audit."}}


async def test_an_owner_reads_his_tenant_and_nothing_else(web: Web) -> None:
    for slug in ("first", "other"):
        await web.client.post("/api/tenants", json={**TENANT, "slug": slug})
    owner = web.member("first", "ann@example.com", "owner")
    manager = web.member("first", "bob@example.com", "manager")
    told = (await web.client.get("/api/tenants/first/audit", headers=owner)).json()["items"]
    assert {entry["action"] for entry in told} == {"tenant.create"}
    assert len({entry["tenant_id"] for entry in told}) == 1
    assert (await web.client.get("/api/tenants/first/audit", headers=manager)).status_code == 403
    assert (await web.client.get("/api/tenants/other/audit", headers=owner)).status_code == 404
    assert (await web.client.get("/api/audit", headers=owner)).status_code == 403
    assert (await web.client.get("/api/audit?tenant=other", headers=owner)).status_code == 403
    await web.client.get("/api/tenants/first/audit")
    assert [entry["role"] for entry in (await _entries(web, "/api/tenants/first/audit", action="audit.read"))] == ["super-admin"] * 2


async def test_filters_and_pages(web: Web) -> None:
    for number in range(7):
        entry = Entry(f"2026-01-0{number + 1}T00:00:00.000Z", f"usr_{number % 2} (x)", "a.b", f"obj_{number}", "ten_x")
        web.database.write_now(lambda tx, entry=entry: audit.append(tx, entry))  # type: ignore[misc]
    assert [entry["object"] for entry in await _entries(web, actor="usr_1")] == ["obj_5", "obj_3", "obj_1"]
    assert [entry["object"] for entry in await _entries(web, object="obj_4")] == ["obj_4"]
    within = await _entries(web, since="2026-01-03T00:00:00Z", until="2026-01-05T00:00:00+00:00")
    assert [entry["object"] for entry in within] == ["obj_3", "obj_2"]
    seen, cursor = [], ""
    while True:
        page = (await web.client.get("/api/audit", params={"action": "a.b", "limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [entry["object"] for entry in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"obj_{number}" for number in reversed(range(7))]
    assert (await web.client.get("/api/audit?since=yesterday")).status_code == 422
    assert (await web.client.get("/api/audit?limit=1000000000")).status_code == 422


async def test_files_are_whole_and_run_nothing(web: Web) -> None:
    evil = '=HYPERLINK("http://evil.example","x")'
    for number in range(1203):
        entry = Entry(AT, "usr_1 (x)", "a.b", evil if number == 0 else f"-{number}", "ten_x")
        web.database.write_now(lambda tx, entry=entry: audit.append(tx, entry))  # type: ignore[misc]
    lines = (await web.client.get("/api/audit?format=ndjson&action=a.b")).text.splitlines()
    assert len(lines) == 1203
    assert json.loads(lines[0])["object"] == evil
    answer = await web.client.get("/api/audit?format=csv&action=a.b")
    assert answer.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 1203
    assert rows[0]["object"] == "'" + evil
    assert all(cell[:1] not in ("=", "+", "-", "@") for row in rows for cell in row.values())


async def test_refused_requests_are_told_and_a_flood_of_them_in_two_entries(web: Web) -> None:
    await web.client.post("/api/tenants", json=TENANT)
    viewer = web.member("first", "ann@example.com", "viewer")
    stranger = {"Authorization": f"Bearer {web.token_of(web.user('eve@example.com'))}"}
    before = _count(web)
    for _ in range(30):
        assert (await web.client.delete("/api/tenants/first", headers=viewer)).status_code == 403
        assert (await web.client.get("/api/tenants/first", headers=stranger)).status_code == 404
        assert (await web.client.get("/api/tenants", headers={"Authorization": "Bearer zcp_wrong"})).status_code == 401
    assert _count(web) == before + 3
    await web.client._transport.app.state.denials.flush()  # type: ignore[attr-defined]
    told = [entry for entry in await _entries(web) if int(str(entry["sequence"])) > before and entry["action"] != "audit.read"]
    counted: dict[object, int] = {}
    for entry in told:
        counted[entry["outcome"]] = counted.get(entry["outcome"], 0) + int(entry["changes"]["count"])  # type: ignore[index]
    assert counted == {"denied": 30, "hidden": 30, "not_signed_in": 30}
    assert len(told) == 6
    assert {entry["action"] for entry in told} == {"tenant.delete", "tenant.read"}
    assert "zcp_wrong" not in json.dumps(told)


async def test_ten_thousand_different_refusals_are_few_entries(web: Web) -> None:
    denials, before = Denials(web.client._transport.app.state.context), _count(web)  # type: ignore[attr-defined]
    for number in range(10_000):
        await denials.note(Denial("anonymous", f"198.51.100.{number}", "tenant.read", "", 401))
    await denials.flush()
    assert _count(web) - before == MOST + 1
    assert web.database.read(lambda tx: audit.page(tx, audit.Filter(), None, 1))[0].entry.changes == {"count": 10_000 - MOST}


async def test_a_change_without_its_entry_is_rolled_back(web: Web) -> None:
    actor = Actor(id="tok_a", kind=ActorKind.TOKEN, name="tests", bearer=Bearer(), is_super_admin=True)

    def forgetful(call: Call) -> Outcome[None]:
        call.tx.execute("UPDATE plans SET pids = pids + 1")
        return Outcome(None)

    before = web.database.read(plans.everything)
    app = web.client._transport.app  # type: ignore[attr-defined]
    with pytest.raises(Unavailable, match="no entry") as told:
        await Caller(app.state.context, actor, RetryKey("POST /x", "key", b"")).change(forgetful)
    assert (told.value.status, told.value.code) == (503, "audit.entry_missing")
    assert web.database.read(plans.everything) == before


async def test_an_entry_that_can_not_be_written_keeps_the_change_from_happening(web: Web) -> None:
    database = web.client._transport.app.state.context.database  # type: ignore[attr-defined]
    broken = "CREATE TEMP TRIGGER broken BEFORE INSERT ON main.audit_log BEGIN SELECT RAISE(ABORT, 'the log is broken'); END"
    database.write_now(lambda tx: tx.execute(broken))
    await _is_refused_whole(web, "audit.unwritable")
    database.write_now(lambda tx: tx.execute("DROP TRIGGER broken"))
    assert (await web.client.post("/api/tenants", json=TENANT)).status_code == 201


async def test_a_full_disk_keeps_the_change_from_happening(web: Web) -> None:
    """Also when only the entry did not fit: what was written before it in the same transaction is undone with it."""
    fits = 0
    assert (await web.client.get("/api/me")).status_code == 200
    web.database.write_now(lambda tx: tx.pragma("max_page_count", tx.pragma("page_count")))
    while (answer := await web.client.post("/api/tenants", json={"slug": f"t-{fits:03d}"})).status_code == 201:
        fits += 1
    assert (answer.status_code, answer.json()["code"]) == (503, "database.full")
    listed = (await web.client.get("/api/tenants?limit=200")).json()["items"]
    made = [row.entry for row in web.database.read(lambda tx: audit.after(tx, audit.Filter(action="tenant.create"), 0, 500))]
    assert len(listed) == len(made) == fits > 0
    with pytest.raises(StorageFull):
        _fill(web)
    await _is_refused_whole(web, "database.full")
    web.database.write_now(lambda tx: tx.pragma("max_page_count", 1_000_000))
    assert (await web.client.post("/api/tenants", json=TENANT)).status_code == 201


async def test_a_locked_log_keeps_the_change_from_happening(web: Web) -> None:
    token = web.token()
    assert (await web.client.get("/api/me")).status_code == 200
    web.database.write_now(lambda tx: tx.set_busy_timeout(50))
    other = connect(web.settings.database, query_only=False)
    other.execute("BEGIN IMMEDIATE")
    unused = {"Authorization": f"Bearer {token}"}
    assert (await web.client.get("/api/tenants", headers=unused)).status_code == 200  # though its first use cannot be noted
    await _is_refused_whole(web, "database.busy")
    other.execute("ROLLBACK")
    other.close()
    assert (await web.client.post("/api/tenants", json=TENANT)).status_code == 201


def _fill(web: Web) -> None:
    while True:
        web.database.write_now(lambda tx: audit.append(tx, Entry(AT, "", "", "")))


async def _is_refused_whole(web: Web, code: str) -> None:
    """503 for changes of tenants, people and sessions, and for audited reads; nothing of any stays behind."""
    before = web.database.read(_rows)
    for method, path, body in (
        ("POST", "/api/tenants", TENANT),
        ("POST", "/api/users", {"email": "new@example.com"}),
        ("PATCH", "/api/plans/free", {"pids": 99}),
        ("GET", "/api/audit", None),
    ):
        answer = await web.client.request(method, path, headers={"Idempotency-Key": "k"}, **({"json": body} if body else {}))
        assert (answer.status_code, answer.json()["code"]) == (503, code), path
        assert "retry-after" in answer.headers
        assert "nothing was changed" in answer.json()["detail"]
    assert web.database.read(_rows) == before


def _rows(tx: Tx) -> dict[str, list[object]]:
    """Everything there is, but for when tokens were used last."""
    names = [name for (name,) in tx.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall() if name != "tokens"]
    return {name: tx.execute(f"SELECT * FROM {name}").fetchall() for name in names}


async def test_each_asked_change_leaves_its_entry(web: Web) -> None:
    """The changes of a tenant's life, one after the other: each is recorded once, with actor, address and request."""
    web.image()
    asked = [
        ("POST", "/api/tenants", TENANT, "tenant.create"),
        ("PATCH", "/api/tenants/first", {"name": "Second"}, "tenant.change"),
        ("POST", "/api/tenants/first/deploy", None, "tenant.deploy"),
        ("POST", "/api/tenants/first/restart", None, "tenant.restart"),
        ("POST", "/api/tenants/first/stop", None, "tenant.stop"),
        ("POST", "/api/tenants/first/start", None, "tenant.start"),
        ("POST", "/api/images", {"source": "demo"}, "image."),
        ("DELETE", "/api/tenants/first", None, "tenant.delete"),
    ]
    for method, path, body, action in asked:
        before = _count(web)
        answer = await web.client.request(method, path, headers={"X-Forwarded-For": "203.0.113.9"}, **({"json": body} if body else {}))
        assert answer.status_code < 300, answer.text
        new = web.database.read(lambda tx, before=before: audit.after(tx, audit.Filter(), before, 10))  # type: ignore[misc]
        mine = [row.entry for row in new if not row.entry.actor.startswith("system:")]
        assert [entry.action for entry in mine] == [mine[0].action], path
        assert mine[0].action.startswith(action)
        assert (mine[0].address, mine[0].role) == ("203.0.113.9", "super-admin")
        assert mine[0].actor.startswith("tok_")
        assert len(mine[0].request_id) == 16
