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


async def test_going_back_to_another_server_says_which_secret_is_not_for_it(web: Web) -> None:
    """The key was deleted with the server it was given for: rolling back without it would give an agent that cannot answer."""
    first = {"family": "custom", "model": "m", "base_url": "https://one.example/v1", "api_key": "sk-canary-one"}
    assert (await web.client.post("/api/tenants", json={"slug": "acme", "provider": first})).status_code == 201
    second = {**first, "base_url": "https://two.example/v1", "api_key": "sk-canary-two"}
    assert (await web.client.patch("/api/tenants/acme", json={"provider": second})).json()["revision"] == 2
    path = "/api/tenants/acme/revisions/1/rollback"
    refused = await web.client.post(path)
    assert refused.status_code == 422
    why = refused.json()["fields"]["providers.main.api_key"]
    assert "is stored for https://two.example and" in why
    assert "https://one.example too" in why
    assert (await _get(web, ""))["items"][0]["number"] == 2, "nothing was stored"
    told = await web.client.post(path, json={"secrets": {"providers.main.api_key": "sk-canary-again"}})
    assert (told.status_code, told.json()["revision"], told.json()["provider"]["base_url"]) == (200, 3, "https://one.example/v1")
    assert told.json()["provider"]["has_key"]
    assert "canary" not in refused.text + told.text


async def test_going_back_asks_for_what_was_deleted_meanwhile(web: Web) -> None:
    await _tenant(web)
    channel = {"type": "telegram", "peers": ["1"], "secrets": {"bot_token": "tg-canary"}}
    assert (await web.client.post("/api/tenants/acme/channels", json=channel)).json()["revision"] == 3
    assert (await web.client.patch("/api/tenants/acme/channels/telegram.main", json={"enabled": False})).json()["revision"] == 4
    assert (await web.client.delete("/api/tenants/acme/secrets/channels.telegram.main.bot_token")).json()["revision"] == 5
    refused = await web.client.post("/api/tenants/acme/revisions/3/rollback")
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["channels.telegram.main.bot_token"])
    given = {"secrets": {"channels.telegram.main.bot_token": "tg-canary-2"}}
    assert (await web.client.post("/api/tenants/acme/revisions/3/rollback", json=given)).json()["revision"] == 6


async def test_going_back_is_held_to_what_a_plan_allows_by_now(web: Web) -> None:
    await _tenant(web)
    await web.client.patch("/api/tenants/acme", json={"plan": "pro"})
    for number, many in ((3, 150), (4, 50)):
        told = await web.client.patch("/api/tenants/acme/config", json={"settings": {"risk": {"actions_per_hour": many}}})
        assert told.json()["revision"] == number
    assert (await web.client.patch("/api/tenants/acme", json={"plan": "free"})).status_code == 200
    refused = await web.client.post("/api/tenants/acme/revisions/3/rollback")
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["risk.actions_per_hour"])
