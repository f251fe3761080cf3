"""What the edge serves and what it keeps, on the real Caddy, started as people start it and asked over real sockets."""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.live.edge_rig import DEADLINE_S, Rig, free_port, until
from zcplatform.adapters.caddy import EdgeConflict, EdgeRejected, EdgeUnreachable
from zcplatform.core import edge
from zcplatform.worker.edge import EdgeLoop

pytestmark = pytest.mark.live


async def test_a_route_leads_to_its_agent_with_its_marker(made: Rig) -> None:
    agent, tenant = await made.recorder("alpha", extra="X-Zcplatform-Tenant: forged\r\nX-Zcplatform: stopped\r\n")
    await made.loop.apply()
    answer = await made.ask(made.host("alpha"), "/chat?x=1")
    assert (answer.status, answer.body) == (200, b"agent saw /chat?x=1")
    assert answer.header("x-zcplatform-tenant") == tenant
    assert answer.header("x-zcplatform") is None
    assert agent.targets == ["/chat?x=1"]
    assert await made.caddy.marker(made.host("alpha")) == tenant
    assert (await made.ask(made.host("alpha").upper())).status == 200


async def test_a_stopped_tenant_gets_a_page_and_no_marker(made: Rig) -> None:
    await made.loop.apply()
    answer = await made.ask(made.host("asleep"), "/any")
    assert (answer.status, answer.header("retry-after"), answer.header("x-zcplatform")) == (503, "30", "stopped")
    assert answer.header("content-type") == "text/html; charset=utf-8"
    assert b"This agent is not running" in answer.body
    assert await made.caddy.marker(made.host("asleep")) is None


async def test_a_suspended_tenant_gets_a_page_that_promises_no_start(made: Rig) -> None:
    made.routes["asleep"] = replace(made.routes["asleep"], page=edge.Page.SUSPENDED)
    await made.loop.apply()
    answer = await made.ask(made.host("asleep"), "/any")
    assert (answer.status, answer.header("retry-after"), answer.header("x-zcplatform")) == (503, "600", "suspended")
    assert b"only the operator can resume it" in answer.body


async def test_an_agent_that_is_down_gets_a_page_with_its_marker(made: Rig) -> None:
    await made.loop.apply()
    answer = await made.ask(made.host("dead"), "/x")
    assert (answer.status, answer.header("retry-after"), answer.header("x-zcplatform")) == (502, "5", "unreachable")
    assert answer.header("x-zcplatform-tenant") == made.routes["dead"].tenant_id
    assert b"This agent is not responding" in answer.body


async def test_no_credential_is_logged(made: Rig) -> None:
    """An agent that breaks off is one of the few things Caddy logs with the whole request."""

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nSet-Cookie: canary-0\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    made.route("alpha", await made.agent(break_off))
    await made.loop.apply()
    credentials = "Authorization: Bearer canary-1\r\nX-Pairing-Code: canary-2\r\nCookie: canary-3\r\nSec-WebSocket-Protocol: canary-4\r\n"
    await made.ask(made.host("alpha"), "/ws/chat?token=canary-5", headers=credentials)
    await until(lambda: any("/ws/chat" in line for line in made.process.lines))
    assert "canary" not in "".join(made.process.lines)


async def test_unknown_hosts_are_told_apart_from_tenants(made: Rig) -> None:
    await made.loop.apply()
    for host in ("nobody.example.test", "x.alpha.example.test", "example.test", "asleep.example.test.evil.test", "[::1]"):
        answer = await made.ask(host)
        assert (answer.status, answer.header("x-zcplatform")) == (404, "no-such-tenant"), host
    assert await made.caddy.marker("nobody.example.test") is None


async def test_the_panel_is_web_and_its_inner_paths_are_closed(made: Rig) -> None:
    await made.loop.apply()
    for host in (made.settings.panel_host, "localhost", f"127.0.0.1:{made.port}"):
        answer = await made.ask(host, "/api/tenants")
        assert (answer.status, answer.body) == (200, b"agent saw /api/tenants")
        assert answer.header("x-zcplatform-tenant") is None
    for target in (
        "/internal/ask?domain=x",
        "/INTERNAL/ask",
        "//internal/ask",
        "/%69nternal/ask",
        "/a/../internal/ask",
        "/api;/../internal",
    ):
        assert (await made.ask(made.settings.panel_host, target)).status in (400, 404)
    assert set(made.web.targets) == {"/api/tenants"}


async def test_a_panel_that_is_down_is_told_in_the_callers_language(made: Rig) -> None:
    await made.loop.apply()
    made.settings.web_socket.unlink()
    answer = await made.ask(made.settings.panel_host, "/api/tenants")
    assert (answer.status, answer.header("content-type")) == (502, "application/problem+json")
    problem = json.loads(answer.body)
    assert (problem["status"], problem["code"]) == (502, "web.unreachable")
    assert b"The panel is not responding" in (await made.ask(made.settings.panel_host, "/")).body


@contextlib.asynccontextmanager
async def kept_true(made: Rig) -> AsyncIterator[None]:
    running = asyncio.create_task(made.loop.loop.forever())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_websocket_outlives_twenty_other_deploys(made: Rig) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        tenant = made.route("alpha", next(iter(server.sockets)).getsockname()[1])
        await made.loop.apply()
        async with connect(f"ws://{made.host('alpha')}:{made.port}/ws/chat", host="127.0.0.1", port=made.port) as client:
            assert client.response is not None
            assert client.response.headers["X-Zcplatform-Tenant"] == tenant
            before = made.loop.status.sets
            for number in range(20):
                made.silent(f"other-{number}")
                await made.loop.apply()
                await client.send(str(number))
                assert await asyncio.wait_for(client.recv(), DEADLINE_S) == str(number)
            assert made.loop.status.sets == before + 20
    found, _ = await made.caddy.get()
    assert found == made.wanted()


async def test_an_event_stream_outlives_a_deploy(made: Rig) -> None:
    said = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: before\n\n")
        await said.wait()
        writer.write(b"data: after\n\n")
        await writer.drain()
        writer.close()

    made.route("alpha", await made.agent(stream))
    await made.loop.apply()
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
    writer.write(f"GET /api/events HTTP/1.1\r\nHost: {made.host('alpha')}\r\n\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"data: before\n\n"), DEADLINE_S)
    made.silent("beta")
    await made.loop.apply()
    said.set()
    await asyncio.wait_for(reader.readuntil(b"data: after\n\n"), DEADLINE_S)
    writer.close()


@pytest.mark.parametrize("is_kept", [True, False])
async def test_routes_are_back_soon_after_caddy_was_killed(made: Rig, is_kept: bool) -> None:
    _, tenant = await made.recorder("alpha")
    await made.loop.apply()
    await made.process.end(signal.SIGKILL)
    with pytest.raises(EdgeUnreachable):
        await made.loop.apply()
    if not is_kept:
        made.settings.edge_document.unlink()
    async with kept_true(made):
        began = time.monotonic()
        await made.process.start()
        if is_kept:
            assert await made.caddy.marker(made.host("alpha")) == tenant
        before = made.loop.status.last_ok_at
        await until(lambda: made.loop.status.last_ok_at != before)
        await made.loop.apply()
        assert await made.caddy.marker(made.host("alpha")) == tenant
        assert time.monotonic() - began < 10


async def test_the_kept_document_serves_without_the_platform(made: Rig) -> None:
    _, tenant = await made.recorder("alpha")
    await made.loop.apply()
    await made.process.end(signal.SIGKILL)
    await made.process.start()
    assert await made.caddy.marker(made.host("alpha")) == tenant
    assert (await made.caddy.get())[0] == made.wanted()


@pytest.mark.parametrize("harm", ["torn", "foreign", "refused", "empty", "other-ports"])
async def test_a_kept_document_that_is_no_good_falls_back_to_the_base(made: Rig, harm: str) -> None:
    await made.loop.apply()
    await made.process.end(signal.SIGKILL)
    kept = made.settings.edge_document
    whole = kept.read_text()
    refused = json.loads(whole)
    refused["apps"]["http"]["servers"]["public"]["routes"].append({"handle": [{"handler": "no_such_handler"}]})
    texts = {
        "torn": whole[: len(whole) // 2],
        "empty": "",
        "foreign": json.dumps({"admin": {"listen": "localhost:2019"}}),
        "refused": json.dumps(refused),
        "other-ports": whole.replace(f":{made.port}", f":{free_port()}"),
    }
    kept.write_text(texts[harm])
    await made.process.start()
    assert (await made.caddy.get())[0] == edge.base(made.site)
    assert (await made.ask(made.host("asleep"))).status == 404
    assert any("starts_with_base" in line for line in made.process.lines)
    await made.loop.apply()
    assert (await made.ask(made.host("asleep"))).status == 503


async def test_what_somebody_changed_by_hand_is_repaired(made: Rig) -> None:
    _, tenant = await made.recorder("alpha")
    await made.loop.apply()
    async with kept_true(made):
        for _ in range(2):
            foreign, etag = await made.caddy.get()
            assert foreign is not None
            routes = foreign["apps"]["http"]["servers"]["public"]["routes"]
            routes.insert(
                0,
                {
                    "match": [{"host": [made.host("alpha")]}],
                    "handle": [{"handler": "static_response", "body": "hijacked"}],
                    "terminal": True,
                },
            )
            sets = made.loop.status.sets
            await made.caddy.set(foreign, etag)
            await until(lambda sets=sets: made.loop.status.sets > sets)  # type: ignore[misc]
            assert (await made.caddy.get())[0] == made.wanted()
            assert await made.caddy.marker(made.host("alpha")) == tenant


async def test_a_stale_etag_is_refused_and_compared_again(made: Rig) -> None:
    _, stale = await made.caddy.get()
    await made.loop.apply()
    with pytest.raises(EdgeConflict):
        await made.caddy.set(edge.base(made.site), stale)
    assert (await made.caddy.get())[0] == made.wanted()


async def test_two_loops_of_different_mind_never_leave_a_mixture(made: Rig) -> None:
    """Twenty deploys through two writers: one document or the other, whole."""
    other = EdgeLoop(made.caddy, made.wanted, made.save, settle_s=0)
    for number in range(20):
        made.silent(f"other-{number}")
        await asyncio.gather(made.loop.apply(), other.apply())
        assert (await made.caddy.get())[0] == made.wanted()


async def test_a_refused_document_leaves_the_old_one(made: Rig) -> None:
    _, tenant = await made.recorder("alpha")
    await made.loop.apply()
    bad = made.wanted()
    bad["apps"]["http"]["servers"]["public"]["routes"].append({"handle": [{"handler": "no_such_handler"}]})
    with pytest.raises(EdgeRejected, match="no_such_handler"):
        await made.caddy.set(bad, (await made.caddy.get())[1])
    assert (await made.caddy.get())[0] == made.wanted()
    assert await made.caddy.marker(made.host("alpha")) == tenant
