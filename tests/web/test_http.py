"""HTTP as it is meant: revisions that a change starts from, patches, broken bodies, methods and addresses of what was made (E6, C4)."""

import pytest

from .conftest import Web

CONFIG = "/api/tenants/shop/config"


async def _shop(web: Web) -> None:
    answer = await web.client.post("/api/tenants", json={"slug": "shop"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/tenants/{answer.json()['id']}"
    assert (await web.client.get(answer.headers["location"])).json()["slug"] == "shop"


async def test_a_change_that_starts_from_an_older_revision_is_rejected(web: Web) -> None:
    await _shop(web)
    tag = (await web.client.get(CONFIG)).headers["etag"]
    assert tag == '"1"'
    for settings in ({"cost": {"daily_usd": 1.0}}, {"cost": {"daily_usd": 2.0}}):
        answer = await web.client.patch(CONFIG, json={"settings": settings}, headers={"If-Match": tag})
        tag = (await web.client.get(CONFIG)).headers["etag"]
        assert answer.status_code == 200, answer.text
    late = await web.client.patch(CONFIG, json={"settings": {"cost": {"daily_usd": 9.0}}}, headers={"If-Match": '"2"'})
    assert (late.status_code, late.json()["code"]) == (412, "config.changed")
    assert late.json()["fields"] == {"cost.daily_usd": "changed meanwhile"}
    assert (await web.client.get(CONFIG)).json()["settings"]["cost"]["daily_usd"] == 2.0
    for harmless in ("*", 'W/"3"', "3"):
        answer = await web.client.patch(CONFIG, json={"settings": {}}, headers={"If-Match": harmless})
        assert answer.status_code == 200, harmless
    assert (await web.client.patch(CONFIG, json={"settings": {}}, headers={"If-Match": "x"})).json()["code"] == "request.if_match"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/tenants/shop", {"provider": {"family": "ollama", "model": "echo", "base_url": "http://198.51.100.10:8391"}}),
        ("POST", "/api/tenants/shop/channels", {"type": "webhook"}),
        ("POST", "/api/tenants/shop/revisions/1/rollback", {}),
    ],
)
async def test_every_way_to_change_settings_knows_the_base_revision(web: Web, method: str, path: str, body: object) -> None:
    await _shop(web)
    answer = await web.client.request(method, path, json=body, headers={"If-Match": '"7"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "config.changed")


async def test_a_merge_patch_is_accepted_for_patches_only(web: Web) -> None:
    await _shop(web)
    headers = {"Content-Type": "application/merge-patch+json"}
    assert (await web.client.patch(CONFIG, content=b'{"settings": {"cost": {"daily_usd": 3}}}', headers=headers)).status_code == 200
    assert (await web.client.post("/api/tenants", content=b'{"slug": "other"}', headers=headers)).status_code == 415


async def test_broken_json_is_told_from_a_wrong_request_with_its_place(web: Web) -> None:
    await _shop(web)
    answer = await web.client.patch(CONFIG, content=b'{"settings": {,}}', headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "request.not_json")
    assert "at character 14" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/auth/link", b'{"token": "\\ud800"}'),
        ("/api/auth/otp/verify", b'{"code": "12345678", "challenge": "x\\udfff"}'),
        ("/api/tenants", b'{"slug": "shop", "name": "\\uD83D"}'),
    ],
)
async def test_half_a_character_is_422(web: Web, path: str, body: bytes) -> None:
    """C4."""
    answer = await web.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_a_whole_character_and_an_escaped_backslash_are_text(web: Web) -> None:
    body = b'{"slug": "shop", "name": "\\ud83d\\ude00 \\\\ud800"}'
    answer = await web.client.post("/api/tenants", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["name"]) == (201, "\U0001f600 \\ud800")


async def test_methods_that_a_path_has_are_named_and_head_answers(web: Web) -> None:
    await _shop(web)
    answer = await web.client.delete("/api/tenants")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert (await web.client.put("/api/tenants/shop", json={})).headers["allow"] == "DELETE, GET, HEAD, PATCH"
    head = await web.client.head("/api/tenants/shop")
    assert (head.status_code, head.headers["content-type"]) == (200, "application/json")


async def test_an_accepted_request_leads_to_its_operation(web: Web) -> None:
    web.image()
    await _shop(web)
    answer = await web.client.post("/api/tenants/shop/deploy")
    assert answer.headers["location"] == f"/api/operations/{answer.json()['id']}"
    assert (await web.client.get(answer.headers["location"])).json()["kind"] == "tenant.deploy"
