"""Requests to a running agent or a provider, as far as the web process handles them: checks, an audit entry, and the worker's socket."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.web.conftest import Web
from zcplatform.vault.opening import open_box
from zcplatform.vault.sealing import TRIAL, SecretBinding

PROVIDER = {"family": "custom", "model": "echo", "base_url": "http://198.51.100.10:8391/v1", "api_key": "sk-canary-7f3a"}
TESTED = {
    "result": "works", "detail": "it accepted the key", "family": "custom", "host": "198.51.100.10:8391", "status": 200,
    "model_listed": True, "tested_at": "2026-01-01T00:00:00.000Z",
}  # fmt: skip
ROUTES = [
    ("POST", "pairing-code", None),
    ("POST", "messages", {"text": "canary of the text"}),
    ("GET", "devices", None),
    ("DELETE", "devices/a-1", None),
    ("GET", "channels/health", None),
]


@asynccontextmanager
async def worker(web: Web, answer: dict[str, Any]) -> AsyncIterator[list[dict[str, Any]]]:
    """A worker that always gives the same answer and keeps the requests."""
    asked: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told = json.loads(await reader.readline())
        if told["verb"] != "wake":
            asked.append(told)
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    web.settings.worker_socket.parent.mkdir(parents=True)
    server = await asyncio.start_unix_server(serve, str(web.settings.worker_socket), limit=256 * 1024)
    async with server:
        yield asked


async def running(web: Web, **fields: object) -> str:
    web.image()
    tenant = (await web.client.post("/api/tenants", json={"slug": "shop", **fields})).json()
    await web.client.post("/api/tenants/shop/deploy")
    return str(tenant["id"])


def trail(web: Web) -> list[tuple[str, str]]:
    """What was changed; that a super-admin looked is written down too."""
    rows = web.database.read(
        lambda tx: tx.execute("SELECT action, object FROM audit_log WHERE outcome = 'done' ORDER BY sequence").fetchall()
    )
    return [(str(action), str(subject)) for action, subject in rows if action not in ("device.read", "channel.read")]


def everything(web: Web) -> bytes:
    return b"".join(path.read_bytes() for path in web.settings.database.parent.glob("zcplatform.db*"))


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_what_does_not_run_can_not_be_asked(web: Web, method: str, path: str, body: object) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    before = trail(web)
    answer = await web.client.request(method, f"/api/tenants/shop/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant.not_running")
    assert (await web.client.request(method, f"/api/tenants/nosuch/{path}", json=body)).status_code == 404
    assert trail(web) == before


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_without_the_worker_it_is_503_and_when_to_try_again(web: Web, method: str, path: str, body: object) -> None:
    await running(web)
    answer = await web.client.request(method, f"/api/tenants/shop/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (503, "worker.unreachable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_message_goes_to_the_worker_and_its_words_into_no_row(web: Web) -> None:
    tenant_id = await running(web)
    async with worker(web, {"text": "canary of the answer", "model": "echo"}) as asked:
        answer = await web.client.post("/api/tenants/shop/messages", json={"text": "canary of the text"})
    assert (answer.status_code, answer.json()) == (200, {"text": "canary of the answer", "model": "echo"})
    assert asked == [{"verb": "message", "tenant_id": tenant_id, "text": "canary of the text"}]
    assert trail(web)[-1] == ("message.send", tenant_id)
    assert b"canary" not in everything(web)


async def test_a_repeat_of_a_message_is_refused_not_sent_again(web: Web) -> None:
    await running(web)
    async with worker(web, {"text": "x", "model": "m"}) as asked:
        for status in (200, 409):
            answer = await web.client.post("/api/tenants/shop/messages", json={"text": "x"}, headers={"Idempotency-Key": "k"})
            assert answer.status_code == status
    assert len(asked) == 1


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "x" * 8_001}, {"text": 5}, {"text": "x", "agent": "other"}, None])
async def test_a_wrong_message_is_refused(web: Web, body: object) -> None:
    await running(web)
    assert (await web.client.post("/api/tenants/shop/messages", json=body)).status_code == 422


async def test_the_longest_message_fits_the_worker_s_line(web: Web) -> None:
    await running(web)
    async with worker(web, {"text": "x", "model": "m"}) as asked:
        text = "\U0001f600" * 8_000
        assert (await web.client.post("/api/tenants/shop/messages", json={"text": text})).status_code == 200
    assert asked[0]["text"] == text
    assert len(json.dumps(asked[0])) < 128 * 1024


async def test_devices_are_listed_revoked_and_reset(web: Web) -> None:
    tenant_id = await running(web)
    device = {"id": "a-1", "name": "Phone", "kind": None, "address": None, "paired_at": "t", "last_seen_at": "t", "is_platform": False}
    async with worker(web, {"devices": [{**device, "is_legacy": False}], "ok": True, "restarts": False}) as asked:
        assert (await web.client.get("/api/tenants/shop/devices")).json() == {"items": [device]}
        assert (await web.client.delete("/api/tenants/shop/devices/a-1")).status_code == 204
        assert (await web.client.delete("/api/tenants/shop/devices")).json() == {"restarts": False}
    assert [told["verb"] for told in asked] == ["devices", "device_revoke", "devices_reset"]
    assert trail(web)[-2:] == [("device.revoke", "a-1"), ("device.reset", tenant_id)]


async def test_a_stopped_tenant_s_devices_can_be_reset_a_draft_s_not(web: Web) -> None:
    web.image()
    await web.client.post("/api/tenants", json={"slug": "shop"})
    assert (await web.client.delete("/api/tenants/shop/devices")).json()["code"] == "tenant.not_deployed"
    await web.client.post("/api/tenants/shop/deploy")
    await web.client.post("/api/tenants/shop/stop")
    async with worker(web, {"restarts": False}):
        assert (await web.client.delete("/api/tenants/shop/devices")).status_code == 200


@pytest.mark.parametrize("device", ["..%2fpairing", "a%20b", "x" * 65])
async def test_a_device_that_can_not_be_is_refused(web: Web, device: str) -> None:
    await running(web)
    assert (await web.client.delete(f"/api/tenants/shop/devices/{device}")).status_code in (404, 405, 422)


async def test_a_saved_provider_is_tested_by_its_name(web: Web) -> None:
    tenant_id = (await web.client.post("/api/tenants", json={"slug": "shop", "provider": PROVIDER})).json()["id"]
    async with worker(web, TESTED) as asked:
        answer = await web.client.post("/api/tenants/shop/providers/main/test")
    assert (answer.status_code, answer.json()) == (200, TESTED)
    assert asked == [{"verb": "provider_test", "tenant_id": tenant_id, "alias": "main"}]
    assert trail(web)[-1] == ("provider.test", "main")


async def test_an_unsaved_key_goes_in_a_box_that_only_the_worker_opens(web: Web) -> None:
    tenant_id = (await web.client.post("/api/tenants", json={"slug": "shop"})).json()["id"]
    async with worker(web, TESTED) as asked:
        answer = await web.client.post("/api/tenants/shop/providers/main/test", json=PROVIDER)
    assert answer.status_code == 200
    told = asked[0]
    assert (told["family"], told["model"], told["base_url"]) == ("custom", "echo", PROVIDER["base_url"])
    assert "sk-canary" not in json.dumps(told)
    place = SecretBinding(tenant_id, TRIAL, "main", "http://198.51.100.10:8391", "", 0)
    assert open_box(web.keys.seal_private, place, b64decode(told["box"])) == "sk-canary-7f3a"
    assert b"sk-canary" not in everything(web)
    assert (await web.client.get("/api/tenants/shop")).json()["provider"] is None


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("main", {**PROVIDER, "base_url": "http://127.0.0.1:1/v1"}, "provider.invalid"),
        ("main", {**PROVIDER, "base_url": "http://a@198.51.100.10:8391/v1"}, "provider.invalid"),
        ("main", {**PROVIDER, "base_url": "file:///etc/passwd"}, "provider.invalid"),
        ("main", {**PROVIDER, "family": "nosuch"}, "provider.unknown_family"),
        ("main", {**PROVIDER, "host": "x"}, "request.invalid"),
        ("UP-per", PROVIDER, "provider.invalid"),
    ],
)
async def test_a_wrong_provider_is_told_by_field_and_never_asked_about(web: Web, path: str, body: object, code: str) -> None:
    await web.client.post("/api/tenants", json={"slug": "shop"})
    before = trail(web)
    async with worker(web, TESTED) as asked:
        answer = await web.client.post(f"/api/tenants/shop/providers/{path}/test", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["fields"]
    assert "sk-canary" not in answer.text
    assert (asked, trail(web)) == ([], before)
