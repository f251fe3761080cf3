"""Lists: a fixed number of statements however long they are, and one vocabulary for search, filters, order and pages."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from zcplatform.core.holds import Hold, HoldKind
from zcplatform.store import holds, tenants
from zcplatform.store.db import require

from .conftest import AT, Web


@contextmanager
def counted(web: Web) -> Iterator[list[str]]:
    """The statements that are run on the connection for reads."""
    found: list[str] = []
    reader = web.database._reader

    def trace(_: Any, statement: str, __: Any) -> bool:
        found.append(statement)
        return True

    reader.exec_trace = trace
    try:
        yield found
    finally:
        reader.exec_trace = None


async def _tenants(web: Web, count: int) -> None:
    provider = {"family": "ollama", "model": "echo", "base_url": "http://198.51.100.10:8391"}
    for number in range(count):
        answer = await web.client.post("/api/tenants", json={"slug": f"t-{number:03d}", "provider": provider})
        assert answer.status_code == 201, answer.text


async def test_a_list_takes_as_many_statements_for_forty_tenants_as_for_two(web: Web) -> None:
    await _tenants(web, 2)
    with counted(web) as few:
        assert len((await web.client.get("/api/tenants")).json()["items"]) == 2
    for number in range(2, 40):
        await web.client.post("/api/tenants", json={"slug": f"t-{number:03d}"})
    with counted(web) as many:
        items = (await web.client.get("/api/tenants?limit=200")).json()["items"]
    assert (len(items), items[0]["provider"]["model"]) == (40, "echo")
    assert len(many) == len(few) < 20


async def test_tenants_are_searched_filtered_and_counted(web: Web) -> None:
    web.image()
    await _tenants(web, 3)
    await web.client.patch("/api/tenants/t-001", json={"name": "The Shop", "plan": "pro"})
    row = require(web.database.read(lambda tx: tenants.find(tx, "t-002")))
    web.database.write_now(lambda tx: holds.put(tx, row.id, Hold(HoldKind.QUOTA, "x", AT, "usage")))
    await web.client.post("/api/tenants/t-000/deploy")

    async def found(query: str) -> tuple[list[str], int]:
        answer = (await web.client.get(f"/api/tenants?{query}")).json()
        return [item["slug"] for item in answer["items"]], answer["total"]

    assert await found("q=shop") == (["t-001"], 1)
    assert await found(f"q={row.id}") == (["t-002"], 1)
    assert await found("state=deploying") == (["t-000"], 1)
    assert await found("state=deploying&state=draft") == (["t-000", "t-001", "t-002"], 3)
    assert await found("plan=pro") == (["t-001"], 1)
    assert await found("image=zc-demo-agent:latest") == (["t-000"], 1)
    assert await found("hold=quota") == await found("hold=any") == (["t-002"], 1)
    assert await found("hold=none&limit=1") == (["t-000"], 2)
    assert await found("hold=suspended") == ([], 0)
    assert await found("sort=-slug") == (["t-002", "t-001", "t-000"], 3)
    assert (await found("sort=-name"))[0][0] == "t-002"


@pytest.mark.parametrize("sort", ["slug", "-slug", "plan", "-state", "created_at"])
async def test_pages_of_any_order_are_the_whole_list_once(web: Web, sort: str) -> None:
    await _tenants(web, 5)
    whole = [item["slug"] for item in (await web.client.get(f"/api/tenants?sort={sort}")).json()["items"]]
    seen, cursor = [], ""
    while cursor is not None:
        answer = (await web.client.get(f"/api/tenants?sort={sort}&limit=2&cursor={cursor}")).json()
        assert answer["total"] == 5
        seen += [item["slug"] for item in answer["items"]]
        cursor = answer["next_cursor"]
    assert seen == whole
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    "path", ["/api/users", "/api/images", "/api/tenants/shop/members", "/api/tenants/shop/invitations", "/api/tenants/shop/tokens"]
)
async def test_small_lists_have_the_same_vocabulary(web: Web, path: str) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    web.image()
    for name in ("ada", "ben", "cem"):
        web.member("shop", f"{name}@example.com", "viewer")
        await web.client.post("/api/tenants/shop/members", json={"email": f"new-{name}@example.com"})
        await web.client.post("/api/tenants/shop/tokens", json={"name": name})
    whole = (await web.client.get(path)).json()
    first = (await web.client.get(f"{path}?limit=1")).json()
    assert (first["items"], first["total"]) == (whole["items"][:1], len(whole["items"]))
    if len(whole["items"]) > 1:
        second = (await web.client.get(f"{path}?limit=1&cursor={first['next_cursor']}")).json()
        assert second["items"] == whole["items"][1:2]
    assert (await web.client.get(f"{path}?q=nothing-like-it")).json()["total"] == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("stat=running", "stat"),
        ("state=gone", "state.0"),
        ("sort=reason", "sort"),
        ("cursor=zzz", "cursor"),
        ("hold=x", "hold"),
        ("limit=0", "limit"),
        ("tenant=x&limit=1", "tenant"),
    ],
)
async def test_a_parameter_that_is_not_known_is_refused(web: Web, query: str, field: str) -> None:
    """E4: a mistyped filter must not return everything."""
    answer = await web.client.get(f"/api/tenants?{query}")
    assert (answer.status_code, list(answer.json()["fields"])) == (422, [field])


@pytest.mark.parametrize(
    "text", ["5", "null", "[]", '"ab"', '{"a":1,"b":2}', f'[{10**30},"x"]', "[1,2]", '["\\ud800","x"]', '["x","\\ud800"]', "[" * 700]
)
async def test_a_cursor_that_no_page_returned_is_refused(web: Web, text: str) -> None:
    """Whatever a caller writes into it: it is never compared with rows, and never a fault of ours."""
    cursor = urlsafe_b64encode(text.encode()).decode().rstrip("=")
    for path in ("/api/tenants", "/api/users"):
        answer = await web.client.get(f"{path}?cursor={cursor}")
        assert (answer.status_code, answer.json()["code"]) == (422, "list.cursor"), answer.text
