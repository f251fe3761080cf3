"""Revisions through the API: what was saved, what changed, and the way back."""

from typing import Any

from tests.web.conftest import Web

FIRST = {"family": "anthropic", "model": "claude-sonnet-4-5", "api_key": "sk-canary"}


async def _tenant(web: Web) -> None:
    assert (await web.client.post("/api/tenants", json={"slug": "acme", "provider": FIRST})).status_code == 201
    second = {"family": "anthropic", "model": "claude-opus-4-5"}
    assert (await web.client.patch("/api/tenants/acme", json={"provider": second})).json()["revision"] == 2


async def _get(web: Web, path: str) -> Any:
    answer = await web.client.get(f"/api/tenants/acme/revisions{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_save_is_listed_shown_and_compared(web: Web) -> None:
    await _tenant(web)
    listed = (await _get(web, ""))["items"]
    assert [(one["number"], one["note"], one["is_current"], one["outcome"]) for one in listed] == [
        (2, "provider", True, None),
        (1, "created", False, None),
    ]
    assert (await _get(web, "/1"))["settings"]["providers"]["main"]["model"] == "claude-sonnet-4-5"
    change = {"path": "providers.main.model", "before": "claude-sonnet-4-5", "after": "claude-opus-4-5"}
    assert await _get(web, "/2/diff") == {"revision": 2, "against": 1, "changes": [change]}
    assert (await _get(web, "/2/diff?against=2"))["changes"] == []
    assert (await _get(web, "/1/diff"))["against"] == 0
    assert "canary" not in str(await _get(web, "/1"))
    page = await _get(web, "?limit=1")
    assert [one["number"] for one in (await _get(web, f"?limit=1&cursor={page['next_cursor']}"))["items"]] == [1]


async def test_going_back_is_saving_again(web: Web) -> None:
    await _tenant(web)
    told = await web.client.post("/api/tenants/acme/revisions/1/rollback", json={"note": "it was better"})
    assert (told.status_code, told.json()["revision"], told.json()["provider"]["model"]) == (200, 3, "claude-sonnet-4-5")
    assert [one["note"] for one in (await _get(web, ""))["items"]] == ["it was better", "provider", "created"]
    again = await web.client.post("/api/tenants/acme/revisions/1/rollback")
    assert (again.status_code, again.json()["revision"]) == (200, 3), "nothing would change: nothing is saved"


async def test_what_is_not_there_is_said(web: Web) -> None:
    await _tenant(web)
    for path in ("/9", "/9/diff", "/1/diff?against=9"):
        answer = await web.client.get(f"/api/tenants/acme/revisions{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "revision.unknown")
    answer = await web.client.post("/api/tenants/acme/revisions/9/rollback")
    assert (answer.status_code, answer.json()["code"]) == (404, "revision.unknown")
