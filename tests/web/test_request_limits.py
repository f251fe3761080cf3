"""What every request meets before a route: the caller, the size, the form; and what every answer carries."""

import os

import pytest

from .conftest import AT, Web


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer x", "Bearer zcp_wrong", "Basic zcp_x", "Bearer zcp_" + "a" * 5000])
async def test_without_a_good_token_there_is_nothing(web: Web, header: str | None) -> None:
    for path in ("/api/tenants", "/api/events", "/api/images", "/metrics", "/api/operations/op_x"):
        answer = await web.client.get(path, headers={"Authorization": header or ""})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_expired_and_revoked_tokens_act_no_more(web: Web) -> None:
    for token in (web.token(expires_at=AT), web.token(revoked_at=AT)):
        assert (await web.client.get("/api/tenants", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_health_says_nothing_to_strangers(web: Web) -> None:
    answer = await web.client.get("/healthz", headers={"Authorization": ""})
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_ready_means_a_worker_was_seen(web: Web) -> None:
    answer = await web.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"], answer.json()["worker"]) == (503, False, "last seen never")
    web.settings.worker_heartbeat.parent.mkdir(parents=True)
    web.settings.worker_heartbeat.touch()
    answer = await web.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "database": "writable", "worker": "seen", "loops": []})
    os.utime(web.settings.worker_heartbeat, (0, 0))
    assert (await web.client.get("/readyz")).json()["worker"] == "last seen 1970-01-01T00:00:00.000Z"


async def test_too_large_bodies_cost_little(web: Web) -> None:
    answer = await web.client.post("/api/tenants", content=b"x" * 70_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413

    async def endless() -> object:
        for _ in range(100):
            yield b" " * 4096

    answer = await web.client.post("/api/tenants", content=endless(), headers={"Content-Type": "application/json"})  # type: ignore[arg-type]
    assert answer.status_code == 413


async def test_only_plain_json_is_taken(web: Web) -> None:
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
        assert (await web.client.post("/api/tenants", content=b"{}", headers=headers)).status_code == 415
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await web.client.post("/api/tenants", content=b"{}", headers=headers)).status_code == 415


@pytest.mark.parametrize("body", [b"{", b'{"slug": NaN}', b"[" * 30_000, b'{"slug": "a", "slug": ' + b"1" * 20_000 + b"}", b"\xff\xfe"])
async def test_nonsense_is_a_clear_answer(web: Web, body: bytes) -> None:
    answer = await web.client.post("/api/tenants", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_every_answer_carries_the_security_headers(web: Web) -> None:
    for path in ("/healthz", "/api/tenants", "/api/tenants/nope", "/nope", "/readyz"):
        headers = (await web.client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers


async def test_unknown_routes_and_methods_are_problems(web: Web) -> None:
    assert (await web.client.get("/api/nope")).json()["code"] == "route.unknown"
    assert (await web.client.put("/api/tenants", json={})).json()["code"] == "route.method"
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert (await web.client.get(path)).status_code == 404


async def test_metrics_count_requests_by_route(web: Web) -> None:
    await web.client.get("/api/tenants/shop")
    text = (await web.client.get("/metrics")).text
    assert 'route="/api/tenants/{tenant}"' in text
    assert "shop" not in text
