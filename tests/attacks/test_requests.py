"""Requests as nobody means them: too many headers, slow, doubled, of other types, from other origins, too often."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from starlette.routing import WebSocketRoute

from tests.web.conftest import Web
from tests.web.conftest import web as web
from tests.web.people import browser, person, signed_in
from zcplatform.web.rates import Rates
from zcplatform.web.request_limits import BODY_WITHIN_S, Guard

ANN = "ann@example.com"
FOREIGN = ("null", "", "https://evil.example", "http://localhost.evil", "http://panel.localhost.evil", "http://panel.localhost:8081", "https://panel.localhost",
    "http://shop.localhost", "http://x.panel.localhost", "http://localhost:81", "http://PANEL.localhost", "http://panel.localhost/", " http://panel.localhost evil",
    "http://panel.localhost, http://evil.example", "file://", "panel.localhost")  # fmt: skip


def _headers_hold(answer: httpx2.Response) -> None:
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control-")]
    assert "server" not in headers


async def test_every_kind_of_answer_carries_the_security_headers(web: Web) -> None:
    """S-41: also those that no route made, and one of an error nobody foresaw."""

    async def broken() -> None:
        raise RuntimeError("hunter2")

    app = web.client._transport.app  # type: ignore[attr-defined]
    app.add_api_route("/api/broken", broken)
    app.state.watcher.stopped.set()
    asked = [
        ("GET", "/healthz", {}), ("GET", "/readyz", {}), ("GET", "/api/tenants", {}), ("GET", "/api/tenants", {"Authorization": "x"}), ("GET", "/nope", {}), ("PUT", "/api/tenants", {}),
        ("OPTIONS", "/api/tenants", {}), ("TRACE", "/api/tenants", {}), ("GET", "/api/events", {}), ("GET", "/metrics", {}), ("POST", "/api/tenants", {"Content-Type": "text/plain"}),
        ("GET", "/api/tenants", {f"x-{number}": "1" for number in range(200)}), ("GET", "/api/broken", {}), ("GET", "/api/openapi.json", {}),
    ]  # fmt: skip
    seen = set()
    for method, path, headers in asked:
        answer = await web.client.request(method, path, headers=headers)
        _headers_hold(answer)
        seen.add(answer.status_code)
    assert seen == {200, 401, 404, 405, 415, 431, 500, 503}


async def test_an_unforeseen_error_tells_nothing_of_itself(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    async def broken(name: str) -> None:
        raise RuntimeError(f"hunter2 {name}")

    web.client._transport.app.add_api_route("/api/broken/{name}", broken)  # type: ignore[attr-defined]
    answer = await web.client.get("/api/broken/CANARY%0a")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal.error")
    written = capsys.readouterr().err
    for text in (answer.text, written):
        assert "hunter2" not in text
        assert "CANARY" not in text
    assert json.loads(written)["route"] == "/api/broken/{name}"


async def test_cors_is_closed(web: Web) -> None:
    """S-40."""
    for origin in (*FOREIGN, web.settings.panel_url):
        asks = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
        for method in ("GET", "OPTIONS"):
            answer = await web.client.request(method, "/api/tenants", headers=asks)
            assert answer.status_code == (200 if method == "GET" else 405)
            _headers_hold(answer)


@pytest.mark.parametrize("origin", [None, *FOREIGN])
async def test_a_cookie_changes_nothing_from_elsewhere(web: Web, origin: str | None) -> None:
    """S-39: exactly the panel's origin, whatever the address of the request is."""
    who = signed_in(web, person(web, ANN, is_super_admin=True))
    async with who.client as client:
        del client.headers["Origin"]
        headers = {} if origin is None else {"Origin": origin}
        for method, path in (("POST", "/api/tenants"), ("DELETE", "/api/me/sessions"), ("POST", "/api/auth/logout")):
            answer = await client.request(method, path, headers=headers, **({"json": {"slug": "shop"}} if path == "/api/tenants" else {}))
            assert (answer.status_code, answer.json()["code"]) == (403, "origin.foreign"), (method, path, origin)
        assert (await client.get("/api/tenants")).json()["items"] == []
        assert (await client.post("/api/tenants", json={"slug": "shop"}, headers={"Origin": web.settings.panel_url})).status_code == 201


async def test_two_origins_are_none(web: Web) -> None:
    who = signed_in(web, person(web, ANN, is_super_admin=True))
    async with who.client as client:
        del client.headers["Origin"]
        twice = [("Origin", "https://evil.example"), ("Origin", web.settings.panel_url)]
        assert (await client.request("POST", "/api/tenants", json={"slug": "shop"}, headers=twice)).status_code == 400


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", "application/jsonp", "application/vnd.api+json",
     "application/json, text/plain", "application/json;charset=utf-16", "text/plain;application/json", "application/json;"],
)  # fmt: skip
async def test_only_json_changes_something(web: Web, kind: str) -> None:
    """S-39: nothing a form or a beacon can send without asking first."""
    answer = await web.client.post("/api/tenants", content=b'{"slug": "shop"}', headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert (await web.client.get("/api/tenants")).json()["items"] == []
    for fine in ("application/json", "Application/JSON; charset=UTF-8"):
        answer = await web.client.post("/api/tenants", content=b'{"slug": "A"}', headers={"Content-Type": fine})
        assert answer.status_code == 422


async def test_headers_have_an_end_and_come_once(web: Web) -> None:
    """S-62."""
    many = {f"x-{number}": "1" for number in range(10_000)}
    assert (await web.client.get("/api/tenants", headers=many)).status_code == 431
    assert (await web.client.get("/api/tenants", headers={"x-long": "y" * 40_000})).status_code == 431
    for name in ("Authorization", "Content-Type", "X-Forwarded-For", "Idempotency-Key"):
        told = [(name, "a"), (name, "b")]
        assert (await web.client.request("POST", "/api/tenants", headers=told)).status_code == 400, name
    for length in ("-1", "1e3", "0x10", "9" * 40, "+1"):
        assert (await web.client.post("/api/tenants", headers={"Content-Length": length})).status_code in (400, 413), length


async def test_large_and_nested_bodies_cost_little(web: Web) -> None:
    """S-62: each is refused before it costs anything worth measuring."""
    for body in (
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"1" * 60_000,
        b'{"slug":' + b"9" * 60_000 + b"}",
        b'{"slug": NaN}',
        b'{"slug": "a", "slug": "b"}',
        b'"\\ud800"',
    ):
        began = time.process_time()
        answer = await web.client.post("/api/tenants", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422), body[:20]
        assert time.process_time() - began < 1


async def test_an_endless_body_is_cut_while_it_arrives(web: Web) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(250_000):
            taken += 4_096
            yield b" " * 4_096

    answer = await web.client.post("/api/tenants", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert taken < 1 << 20


async def test_a_slow_body_ends(web: Web) -> None:
    """Nothing comes after the first byte: the connection is given up, not kept for ever."""
    assert BODY_WITHIN_S <= 30
    app = web.client._transport.app  # type: ignore[attr-defined]
    hasty = FastAPI()
    hasty.state, hasty.router, hasty.exception_handlers = app.state, app.router, app.exception_handlers
    hasty.add_middleware(Guard, body_within_s=0.02)

    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=hasty), base_url="http://panel.localhost") as client:
        async with asyncio.timeout(5):
            answer = await client.post("/api/auth/otp/request", content=dripping(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 408
    _headers_hold(answer)


def _with_limits(web: Web, **limits: int) -> None:
    app = web.client._transport.app  # type: ignore[attr-defined]
    app.state.rates._buckets.update(Rates(web.settings.model_copy(update=limits))._buckets)


async def test_one_address_has_its_share(web: Web) -> None:
    """S-68. Neither another path nor another token helps; a neighbour is not touched; a /64 counts as one."""
    _with_limits(web, requests_address=60)
    async with browser(web, "2001:db8::1") as client:
        for number in range(60):
            answer = await client.get("/api/tenants" if number % 2 else "/nope", headers={"X-Forwarded-For": f"2001:db8::{number + 1:x}"})
            assert answer.status_code in (401, 404)
        answer = await client.get("/api/tenants", headers=dict(web.client.headers))
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "request.too_many", "1")
        _headers_hold(answer)
        assert (await client.get("/healthz")).status_code == 200
    async with browser(web, "2001:db8:0:1::1") as client:
        assert (await client.get("/api/tenants")).status_code == 401


async def test_one_account_has_its_share_over_all_its_tokens_and_addresses(web: Web) -> None:
    """S-68."""
    _with_limits(web, requests_account=60)
    ann, ben = web.user(ANN), web.user("ben@example.com")
    tokens = [web.token_of(ann) for _ in range(4)]
    for number in range(60):
        headers = {"Authorization": f"Bearer {tokens[number % 4]}", "X-Forwarded-For": f"198.51.100.{number}"}
        assert (await web.client.get("/api/me", headers=headers)).status_code == 200
    answer = await web.client.get("/api/me", headers={"Authorization": f"Bearer {tokens[0]}"})
    assert (answer.status_code, "retry-after" in answer.headers) == (429, True)
    assert (await web.client.get("/api/me", headers={"Authorization": f"Bearer {web.token_of(ben)}"})).status_code == 200


async def test_one_tenant_has_its_share(web: Web) -> None:
    """S-68, S-71: members together; outsiders spend nothing of it, and another tenant is not touched."""
    _with_limits(web, requests_tenant=60)
    for slug in ("shop", "other"):
        assert (await web.client.post("/api/tenants", json={"slug": slug})).status_code == 201
    members = [web.member("shop", f"{number}@example.com", "viewer") for number in range(3)]
    outsider = {"Authorization": f"Bearer {web.token_of(web.user('out@example.com'))}"}
    for _ in range(100):
        assert (await web.client.get("/api/tenants/shop", headers=outsider)).status_code == 404
    for number in range(60):
        assert (await web.client.get("/api/tenants/shop", headers=members[number % 3])).status_code == 200
    assert (await web.client.get("/api/tenants/shop", headers=members[0])).status_code == 429
    assert (await web.client.get("/api/tenants/other")).status_code == 200


async def test_there_is_no_websocket(web: Web) -> None:
    """S-38: no route takes one, and a request for one gets no information, whatever it carries and wherever its page is from."""
    app = web.client._transport.app  # type: ignore[attr-defined]
    assert [route for route in app.routes if isinstance(route, WebSocketRoute)] == []
    told: list[object] = []

    async def send(message: object) -> None:
        told.append(message)

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    for origin in (web.settings.panel_url, "http://shop.localhost", "null", None):
        headers = [(b"authorization", web.client.headers["Authorization"].encode()), *([(b"origin", origin.encode())] if origin else [])]
        for path in ("/api/events", "/api/tenants/shop/logs", "/"):
            scope = {
                "type": "websocket",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": headers,
                "subprotocols": [],
            }
            await app(scope, receive, send)
    assert told == []


async def test_no_redirect_is_made_of_what_was_sent(web: Web) -> None:
    """S-45."""
    for path in ("/api/tenants/", "//evil.example", "/\\evil.example", "/api/tenants/%0d%0aLocation:x/", "/https:evil.example/"):
        answer = await web.client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 404
        assert "location" not in answer.headers


@pytest.mark.parametrize("query", ["limit=-1", "limit=1000000000", "limit=0", "limit=abc", "cursor=" + "z" * 65, "limit=1e9", "limit=%00"])
async def test_paging_is_bounded(web: Web, query: str) -> None:
    """S-67."""
    assert (await web.client.get(f"/api/tenants?{query}")).status_code == 422
