"""Talk with an agent from end to end: pair through Caddy, use HTTP and WebSocket, count, revoke, repair. With AGENT, the real program."""

import contextlib
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from tests.live import invariants
from tests.live.installation import MODEL_ADDRESS
from tests.live.platform import Platform
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live

CANARY = "sk-canary-7f3a"
OWN_PUBLIC = "203.0.114.9"
TURNS = 'zeroclaw_agent_starts_total{model="echo",model_provider="custom.main"}'
GRACE_S = 20
"""An agent that does not end by itself is killed after this."""


@pytest.fixture(scope="module")
def talk(platform: Platform) -> Iterator[str]:
    platform.create("talk")
    platform.do("talk", "deploy")
    yield "talk"
    platform.do("talk", "delete")
    invariants.check(platform)


def metrics(platform: Platform, slug: str) -> dict[str, float]:
    port = platform.docker("port", platform.names.container(slug)).splitlines()[0].rpartition(":")[2]
    lines = httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text.splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def rise(before: dict[str, float], after: dict[str, float], part: str) -> float:
    return sum(value - before.get(name, 0) for name, value in after.items() if part in name)


def over_websocket(platform: Platform, slug: str, bearer: str, words: str) -> dict[str, Any]:
    port = platform.settings.http_port
    opened = socket.create_connection(("127.0.0.1", port))
    url = f"ws://{slug}.localhost:{port}/ws/chat?agent=main"
    with connect(url, sock=opened, additional_headers={"Authorization": f"Bearer {bearer}"}, proxy=None) as web_socket:
        frames: list[dict[str, Any]] = [json.loads(web_socket.recv(10))]
        web_socket.send(json.dumps({"type": "message", "content": words}))
        while frames[-1]["type"] not in ("done", "error"):
            frames.append(json.loads(web_socket.recv(20)))
    assert "chunk" in [frame["type"] for frame in frames]
    return frames[-1]


def test_open_streams_have_an_end_and_closed_ones_make_room(platform: Platform, talk: str) -> None:
    """S-71: through real sockets; another account, and what is no stream, go on while one account holds all it may."""
    most = platform.settings.streams_account
    mine = {"Authorization": f"Bearer {platform.new_token()}"}
    with platform.client() as client, contextlib.ExitStack() as held:
        for number in range(most):
            path = f"/api/tenants/{talk}/logs?follow=true" if number % 2 else "/api/events"
            assert held.enter_context(client.stream("GET", path, headers=mine)).status_code == 200
        for path in (f"/api/tenants/{talk}/logs", "/api/events"):
            refused = client.get(path, headers=mine)
            assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "stream.too_many", "10")
        assert client.get("/api/tenants", headers=mine).status_code == 200
        with client.stream("GET", "/api/events") as other:
            assert other.status_code == 200
    with platform.client() as client:

        def is_open() -> bool:
            with client.stream("GET", "/api/events", headers=mine) as again:
                return again.status_code == 200

        wait_until(is_open, 10, "a place is free")


def test_what_is_sent_is_answered_and_counted_exactly(platform: Platform, talk: str) -> None:
    bearer = platform.pair(talk)
    before = metrics(platform, talk)
    first = platform.talk(talk, bearer, "through caddy")
    second = over_websocket(platform, talk, bearer, "over a websocket")
    third = platform.api("POST", f"/api/tenants/{talk}/messages", {"text": "through the api"})
    assert first.endswith("through caddy")
    assert second["full_response"].endswith("over a websocket")
    assert (third.status, third.body["model"]) == (200, "echo")
    assert third.body["text"].endswith("through the api")
    after = metrics(platform, talk)
    assert rise(before, after, "zeroclaw_agent_starts_total") == 3
    assert rise(before, after, 'success="true"') == 3
    assert rise(before, after, 'success="false"') == 0
    said = (first, second["full_response"], third.body["text"])
    assert rise(before, after, "zeroclaw_tokens_output_total") == sum(len(text.split()) for text in said)
    assert after[TURNS] == before.get(TURNS, 0) + 3


def test_pairing_survives_a_restart_and_an_idle_agent_stops_at_once(platform: Platform, talk: str) -> None:
    bearer = platform.pair(talk)
    platform.do(talk, "restart")
    assert platform.talk(talk, bearer, "again").endswith("again")
    since, began = platform.started_at(talk), time.monotonic()
    platform.docker("stop", f"--time={GRACE_S}", platform.names.container(talk))
    assert time.monotonic() - began < GRACE_S / 4
    platform.wait_restarted(talk, since)
    assert platform.talk(talk, bearer, "and again").endswith("and again")


def test_nobody_gets_a_code_before_the_owner(platform: Platform) -> None:
    """Whoever polls from outside during a whole first deploy never sees a code, and what an agent prints at its start holds none."""
    platform.create("first")
    ended, seen, asked = threading.Event(), [], 0

    def poll() -> None:
        nonlocal asked
        while not ended.is_set():
            for path in ("/pair/code", "/pair//code", "/PAIR/code", "/pair/%63ode"):
                with contextlib.suppress(httpx2.HTTPError):
                    answer = platform.visit("first", path)
                    asked += 1
                    if "pairing_code" in answer.text or answer.status_code == 200:
                        seen.append((path, answer.status_code, answer.text))

    poller = threading.Thread(target=poll)
    poller.start()
    try:
        platform.do("first", "deploy")
        code = platform.api("POST", "/api/tenants/first/pairing-code").body["code"]
        count = asked
        wait_until(lambda: asked > count + 20, 10, "it was polled while a code was pending")
    finally:
        ended.set()
        poller.join()
    assert seen == []
    logs = platform.api("GET", "/api/tenants/first/logs?tail=1000").body
    assert code not in logs
    assert code not in platform.log() + platform.log("edge")
    assert "pairing code:" not in logs.lower()
    health = platform.tenant("first")
    assert health["state"] == "running"
    platform.do("first", "delete")


def test_a_new_code_ends_the_pending_one_and_a_repeat_gives_none(platform: Platform, talk: str) -> None:
    with platform.client() as client:
        key = {"Idempotency-Key": "pairing-1"}
        first = client.post(f"/api/tenants/{talk}/pairing-code", headers=key)
        again = client.post(f"/api/tenants/{talk}/pairing-code", headers=key)
        second = client.post(f"/api/tenants/{talk}/pairing-code")
    assert (first.status_code, again.status_code, second.status_code) == (200, 409, 200)
    assert first.json()["url"] == f"http://{talk}.localhost:{platform.settings.http_port}/"
    old, new = (answer.json()["code"] for answer in (first, second))
    assert platform.visit(talk, "/pair", "POST", headers={"X-Pairing-Code": old}).status_code == 403
    assert platform.visit(talk, "/pair", "POST", headers={"X-Pairing-Code": new}).status_code == 200
    assert platform.visit(talk, "/pair", "POST", headers={"X-Pairing-Code": new}).status_code == 403
    with platform.database() as database:
        database.write_now(lambda tx: tx.execute("SELECT 1").fetchall())
    kept = b"".join(path.read_bytes() for path in platform.settings.database.parent.iterdir() if path.is_file())
    for code in (old, new):
        assert code.encode() not in kept
        assert code not in platform.log() + platform.log("edge")


def devices(platform: Platform, slug: str) -> list[dict[str, Any]]:
    return list(platform.api("GET", f"/api/tenants/{slug}/devices").body["items"])


def is_let_in(platform: Platform, slug: str, bearer: str) -> bool:
    return platform.visit(slug, "/api/status", headers={"Authorization": f"Bearer {bearer}"}).status_code == 200


def test_devices_are_revoked_one_by_one_and_all_at_once(platform: Platform, talk: str) -> None:
    platform.api("DELETE", f"/api/tenants/{talk}/devices")
    code = platform.api("POST", f"/api/tenants/{talk}/pairing-code").body["code"]
    paired = platform.visit(talk, "/api/pair", "POST", json={"code": code, "device_name": "Phone", "device_type": "mobile"})
    phone, tablet = paired.json()["token"], platform.pair(talk)
    listed = devices(platform, talk)
    assert [device["name"] for device in listed if device["kind"] == "mobile"] == ["Phone"]
    own = [device["id"] for device in listed if device["is_platform"]]
    assert len(own) == 1
    assert platform.api("DELETE", f"/api/tenants/{talk}/devices/{own[0]}").body["code"] == "device.platform"

    phone_id = next(device["id"] for device in listed if device["name"] == "Phone")
    assert platform.api("DELETE", f"/api/tenants/{talk}/devices/{phone_id}").status == 204
    assert [is_let_in(platform, talk, bearer) for bearer in (phone, tablet)] == [False, True]
    assert platform.api("DELETE", f"/api/tenants/{talk}/devices/{phone_id}").status == 404

    assert platform.api("DELETE", f"/api/tenants/{talk}/devices").body == {"restarts": False}
    assert not is_let_in(platform, talk, tablet)
    assert [device["is_platform"] for device in devices(platform, talk)] == [True]
    platform.do(talk, "restart")
    assert [is_let_in(platform, talk, bearer) for bearer in (phone, tablet)] == [False, False]
    assert platform.api("POST", f"/api/tenants/{talk}/messages", {"text": "still here"}).status == 200


def test_a_tenant_that_revokes_the_platform_is_mended_by_itself(platform: Platform, talk: str) -> None:
    bearer = platform.pair(talk)
    head = {"Authorization": f"Bearer {bearer}"}
    rows = platform.visit(talk, "/api/devices", headers=head).json()["devices"]
    own = next(row["id"] for row in rows if row["device_type"] == "legacy")
    assert platform.visit(talk, f"/api/devices/{own}", "DELETE", headers=head).status_code == 200
    refused = platform.api("POST", f"/api/tenants/{talk}/messages", {"text": "hello?"})
    assert (refused.status, refused.body["code"]) == (503, "agent.rejected_token")
    assert int(refused.headers["retry-after"]) > 0
    assert platform.api("POST", f"/api/tenants/{talk}/messages", {"text": "hello?"}).status == 503

    def answers() -> bool:
        return platform.api("POST", f"/api/tenants/{talk}/messages", {"text": "hello again"}).status == 200

    wait_until(answers, 30, "the agent was started again with the platform's token")
    platform.wait_state(talk, "running")
    assert is_let_in(platform, talk, bearer), "the people who are paired stay paired"
    with platform.database() as database:
        mends = database.read(lambda tx: tx.execute("SELECT count(*) FROM audit_log WHERE action = 'agent.repair_token'").fetchall())
    assert mends == [(1,)]


def test_a_message_to_what_does_not_run_is_409_and_its_words_are_nowhere(platform: Platform, talk: str) -> None:
    words = "canary-of-the-message"
    assert platform.api("POST", f"/api/tenants/{talk}/messages", {"text": words}).status == 200
    platform.do(talk, "stop")
    stopped = platform.api("POST", f"/api/tenants/{talk}/messages", {"text": words})
    assert (stopped.status, stopped.body["code"]) == (409, "tenant.not_running")
    kept = b"".join(path.read_bytes() for path in platform.settings.database.parent.iterdir() if path.is_file())
    assert words.encode() not in kept
    assert words not in platform.log() + platform.log("edge")
    platform.do(talk, "start")


def test_a_model_that_is_gone_is_told_as_such(platform: Platform, talk: str) -> None:
    changed = platform.api("PATCH", f"/api/tenants/{talk}", {"provider": {**platform.provider(), "api_key": "bad-key"}})
    platform.finish(changed.body)
    failed = platform.api("POST", f"/api/tenants/{talk}/messages", {"text": "hello"})
    assert (failed.status, failed.body["code"]) == (503, "agent.model_failed")
    tested = platform.api("POST", f"/api/tenants/{talk}/providers/main/test").body
    assert (tested["result"], tested["status"]) == ("refused", 401)
    platform.finish(platform.api("PATCH", f"/api/tenants/{talk}", {"provider": platform.provider()}).body)
    tested = platform.api("POST", f"/api/tenants/{talk}/providers/main/test").body
    assert (tested["result"], tested["model_listed"], tested["host"]) == ("works", True, f"http://{MODEL_ADDRESS}:{platform.model_port}")
    assert CANARY not in json.dumps(tested)


def test_channels_health_is_the_agent_s_own(platform: Platform, talk: str) -> None:
    answer = platform.api("GET", f"/api/tenants/{talk}/channels/health")
    assert (answer.status, answer.body) == (200, {"items": []})


def test_a_provider_test_looks_at_nothing_of_this_host(platform: Platform, talk: str) -> None:
    """A public address that this host holds, and the platform's own addresses: whoever listens there sees nobody."""
    subprocess.run(["ip", "addr", "replace", f"{OWN_PUBLIC}/32", "dev", "lo"], check=True)
    with socket.create_server(("0.0.0.0", 0)) as listener:
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        for host in (OWN_PUBLIC, f"panel.localhost:{platform.settings.http_port}"):
            address = host if ":" in host else f"{host}:{port}"
            wish = {"family": "custom", "model": "m", "base_url": f"http://{address}/v1", "api_key": CANARY}
            answer = platform.api("POST", f"/api/tenants/{talk}/providers/main/test", wish)
            assert answer.body.get("result") == "unreachable" or answer.body.get("code") == "provider.invalid", answer.body
        with pytest.raises(TimeoutError):
            listener.accept()
    subprocess.run(["ip", "addr", "del", f"{OWN_PUBLIC}/32", "dev", "lo"], check=True)
    assert CANARY not in platform.log()
