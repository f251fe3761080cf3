"""The edge on the real Caddy, started as people start it and asked over real sockets."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from tests.live.edge_rig import DEADLINE_S, Answer, Rig, free_port, rig
from zcplatform import edge as edge_process
from zcplatform.adapters.caddy import EdgeConflict, EdgeRejected, EdgeUnreachable
from zcplatform.core import edge
from zcplatform.errors import Refused
from zcplatform.settings import Settings
from zcplatform.worker.edge import EdgeLoop

pytestmark = pytest.mark.live


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def made(anyio_backend: str) -> AsyncIterator[Rig]:
    """An edge with one running agent (alpha), a stopped one (asleep), one whose agent is dead (dead), and web."""
    async with rig() as found:
        await found.start_web()
        found.route("asleep", None)
        found.route("dead", free_port())
        await found.process.start()
        yield found


@contextlib.asynccontextmanager
async def kept_true(made: Rig) -> AsyncIterator[None]:
    running = asyncio.create_task(made.loop.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def until(fact: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(deadline_s):
        while not fact():
            await asyncio.sleep(0)


# What is served


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


async def test_an_agent_that_is_down_gets_a_page_with_its_marker(made: Rig) -> None:
    await made.loop.apply()
    answer = await made.ask(made.host("dead"), "/x")
    assert (answer.status, answer.header("retry-after"), answer.header("x-zcplatform")) == (502, "5", "unreachable")
    assert answer.header("x-zcplatform-tenant") == made.routes["dead"].tenant_id
    assert b"This agent is not answering" in answer.body


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
    assert b"The panel is not answering" in (await made.ask(made.settings.panel_host, "/")).body


# What is closed

CLOSED = [
    "/admin", "/admin/paircode/new", "/admin/shutdown", "/metrics", "/pair/code", "/health", "/healthz", "/api/version/upgrade", "/api/openapi.json",
    "/api/docs", "/ws/nodes", "/hooks/claude-code", "/api/oidc/providers", "/oidc/login/x", "/a2a/main", "/.well-known/agents-card.json",
    "/a2a/main/.well-known/agent-card.json",
]  # fmt: skip


def spellings(path: str) -> list[str]:
    """Ways of writing `path` that some server would take for it."""
    first, rest = path[1], path[2:]
    inner = path[1:]
    return [
        path, path + "/", path + "?x", path + "#x", path + "%23", path.upper(), inner, "http:" + path, "x:" + inner,
        "//" + inner, "///" + inner, path.replace("/", "//"), "/." + path, "/./." + path, "/x/.." + path, "/x/y/../.." + path, "/.." + path,
        path.replace("/", "/./"), "/x/%2e%2e" + path, "/x/.%2E" + path, "/%2e" + path, "/%2e/" + inner,
        f"/%{ord(first):02x}{rest}", f"/%{ord(first):02X}{rest}", "/" + "".join(f"%{ord(letter):02x}" for letter in inner),
        f"/%25{ord(first):02x}{rest}", f"/%u00{ord(first):02x}{rest}", f"/%{ord(first.upper()):02x}{rest}",
        "/%2f" + inner, "/%2F" + inner, "%2f" + inner, "/x%2f.." + path, "/x/..%2f" + inner, "/x%2f..%2f" + inner, path.replace("/", "%2f"), "/%252f" + inner,
        "\\" + inner, "/\\" + inner, "/x\\.." + path, "/x/..\\" + inner, "/%5c" + inner, "/x%5c..%5c" + inner, "/x/..%5c" + inner, path.replace("/", "\\"),
        path + ";", path + ";x=1", path + "%3b", path + "%3Bx", "/;" + path, "/;x" + path, "/x/..;" + path, "/.;" + path, "/%3b" + path,
        path + "%00", path + "%00.css", "/%00" + path, "/\0" + inner, path + "\0", path + "%0a", path + "%0d%0a", path + "%09", path + "\t", path + "%7f", path + "\x01",
        path + ".", path + "%2e", path + "..", path + "%20", path + " ", path + "+%20", path + "%20/", path + "./", "/%20" + path, "/ " + path,
        "/%c0%af" + inner, "/%e0%80%af" + inner, "/%c0%ae%c0%ae" + path, "/x/%c0%ae%c0%ae" + path, f"/%c1%{(ord(first) & 0x3F) | 0x80:02x}{rest}", path + "%ff", path + "%zz", path + "%",
    ]  # fmt: skip


async def test_no_spelling_of_a_closed_path_reaches_an_agent(made: Rig) -> None:
    """The agent answers everything; that none of these reaches it is the whole proof."""
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    host = made.host("alpha")
    asked = 0
    for path in CLOSED:
        for target in spellings(path):
            for method, url in (
                ("GET", target),
                ("POST", target),
                ("GET", f"http://{host}{target}"),
                ("HEAD", f"http://other.test{target}"),
            ):
                answer = await made.raw(f"{method} {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1"))
                asked += 1
                assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404"), (method, url, answer)
    assert asked > 4_000
    assert agent.heads == []


async def test_open_paths_reach_the_agent_as_they_were_sent(made: Rig) -> None:
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    targets = [
        "/",
        "/pair",
        "/api/pair",
        "/api/status",
        "/api/health",
        "/webhook",
        "/whatsapp/main",
        "/ws/chat",
        "/_app/x.js",
        "/a%20b?q=%2f;%00",
        "/caf%C3%A9",
        "/api/pairing/initiate",
    ]
    for target in targets:
        assert (await made.ask(made.host("alpha"), target, method="POST", body="{}")).status == 200, target
    assert agent.targets == targets


@pytest.mark.parametrize(
    "upgrade",
    ["Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"]
    + [
        f"Connection: Upgrade\r\n{lines}\r\n"
        for lines in ("Upgrade: h2c, websocket", "Upgrade: h2c\r\nUpgrade: websocket", "Upgrade: websocket, h2c", "upgrade: TLS/1.0")
    ],
)
async def test_no_other_tunnel_than_a_websocket_is_opened(made: Rig, upgrade: str) -> None:
    agent, _ = await made.recorder("alpha", extra="Connection: close\r\n")
    await made.loop.apply()
    await made.raw(
        f"GET / HTTP/1.1\r\nHost: {made.host('alpha')}\r\n{upgrade}\r\nGET /admin HTTP/1.1\r\nHost: {made.host('alpha')}\r\nConnection: close\r\n\r\n".encode()
    )
    assert agent.targets == ["/"]
    assert agent.header("upgrade") == agent.header("http2-settings") == []


async def test_methods_without_a_path_reach_nobody(made: Rig) -> None:
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    host = made.host("alpha")
    for line in ("OPTIONS *", f"CONNECT {host}:80", "CONNECT /admin", "PRI *", "GET *", "GET ?x"):
        answer = await made.raw(f"{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 405", b"HTTP/1.1 505", b"HTTP/1.1 200"), (line, answer)
        assert b"agent saw" not in answer
    assert agent.heads == []


# What an agent is told


async def test_identity_headers_are_overwritten(made: Rig) -> None:
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    forged = {
        "X-Forwarded-For": "6.6.6.6", "x-forwarded-proto": "https", "X-Forwarded-Host": "evil.test", "X-Forwarded-Port": "1", "X-Forwarded-User": "root", "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6", "X-User": "root", "X-User-Id": "1", "X-Tenant": "t", "Remote-User": "root", "X-Remote-User": "root", "X-Auth-Request-User": "root",
        "True-Client-IP": "6.6.6.6", "CF-Connecting-IP": "6.6.6.6", "X-Original-URL": "/admin", "X-Rewrite-URL": "/admin", "X-HTTP-Method-Override": "DELETE",
        "X-Zcplatform-Tenant": "t", "X-ZeroClaw-Admin-Token": "t", "X_Forwarded_For": "6.6.6.6", "x_real_ip": "6.6.6.6", "X-Kept": "yes",
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in forged.items())
    await made.ask(made.host("alpha"), headers=lines + "Connection: X-Forwarded-For, X-Real-Ip\r\nX-Forwarded-For: 7.7.7.7\r\n")
    head = agent.heads[-1]
    assert "6.6.6.6" not in head
    assert "7.7.7.7" not in head
    assert agent.header("x-forwarded-for") == agent.header("x-real-ip") == ["127.0.0.1"]
    assert agent.header("x-forwarded-proto") == ["http"]
    assert agent.header("x-forwarded-host") == agent.header("host") == [made.host("alpha")]
    names = {line.partition(":")[0].lower() for line in head.split("\r\n")[1:]}
    assert names & {name.lower() for name in forged} == {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "x-kept"}


SMUGGLES = {
    "CL.TE": "Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    "TE obfuscated": "Content-Length: {n}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}",
    "TE twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}",
    "TE xchunked": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}",
    "CL twice": "Content-Length: 0\r\nContent-Length: {n}\r\n\r\n{hidden}",
    "CL signed": "Content-Length: +{n}\r\n\r\n{hidden}",
    "bare LF": "X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    "bare CR": "X: y\rTransfer-Encoding: chunked\r\n\r\n{hidden}",
    "folded": "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}",
    "chunk LF": "Transfer-Encoding: chunked\r\n\r\n1;\n{hidden}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLES)
async def test_no_second_request_is_smuggled(made: Rig, kind: str) -> None:
    """What is hidden is either a request of its own, judged like every other, or the body of the first; never something only the agent sees."""
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    hidden = f"GET /admin/hidden HTTP/1.1\r\nHost: {made.host('alpha')}\r\n\r\n"
    rest = SMUGGLES[kind].format(hidden=hidden, n=len(hidden) + 5)
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
    writer.write(f"POST /open HTTP/1.1\r\nHost: {made.host('alpha')}\r\n{rest}".encode())
    writer.write_eof()
    await asyncio.wait_for(reader.read(), DEADLINE_S)
    writer.close()
    assert all(target == "/open" for target in agent.targets)


# What stays


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
                made.route(f"other-{number}", free_port())
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
    made.route("beta", free_port())
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
    moved = {"foreign": {"admin": {"listen": "localhost:2019"}}, "refused": refused}
    moved["other-ports"] = json.loads(whole.replace(f":{made.port}", f":{free_port()}"))
    kept.write_text({"torn": whole[: len(whole) // 2], "empty": ""}.get(harm) if harm in ("torn", "empty") else json.dumps(moved[harm]))
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
        made.route(f"other-{number}", free_port())
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


# TLS


@pytest.fixture
async def secure(anyio_backend: str) -> AsyncIterator[Rig]:
    async with rig(tls="internal") as found:
        await found.start_web()
        await found.process.start()
        yield found


async def test_known_names_get_a_certificate_without_web(secure: Rig) -> None:
    agent, tenant = await secure.recorder("alpha")
    secure.route("asleep", None)
    await secure.loop.apply()
    assert await secure.caddy.marker(secure.host("alpha")) == tenant
    assert await secure.caddy.marker(secure.host("asleep")) is None
    assert agent.header("x-forwarded-proto") == ["https"]
    assert secure.web.heads == []


async def test_other_names_get_one_only_when_web_says_so(secure: Rig) -> None:
    await secure.loop.apply()
    secure.web.names = {secure.host("newer")}
    assert await secure.caddy.marker(secure.host("newer")) is None
    for refused in ("nobody.example.test", "a.b.example.test", "evil.test", "nobody.example.test.evil.test"):
        with pytest.raises(EdgeUnreachable):
            await secure.caddy.marker(refused)
    assert set(secure.web.targets) == {f"/internal/ask?domain={slug}.example.test" for slug in ("newer", "nobody")}


async def test_ask_serves_nothing_else_and_only_this_machine(secure: Rig) -> None:
    secure.route("alpha", None)
    await secure.loop.apply()
    port = secure.settings.ask_port
    for target, status in (
        (f"/ask?domain={secure.host('alpha')}", 200),
        ("/ask?domain=nobody.example.test", 404),
        ("/ask", 404),
        ("/", 404),
        ("/api/tenants", 404),
        ("/internal/ask?domain=x", 404),
        ("/ask/../api/tenants", 404),
        (f"/ask?domain={secure.host('alpha')}%0d%0aX:y", 404),
    ):
        answer = await secure.raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), port)
        assert int(answer.split(b" ")[1]) == status, target
    assert secure.web.targets == ["/internal/ask?domain=nobody.example.test"]
    assert f"0100007F:{port:04X} 00000000:0000 0A" in Path(f"/proc/{secure.process.pid}/net/tcp").read_text()


async def test_plain_http_leads_to_tls_and_to_nothing_else(secure: Rig) -> None:
    agent, _ = await secure.recorder("alpha")
    await secure.loop.apply()
    for host, status in (
        (secure.host("alpha"), 308),
        (secure.settings.panel_host, 308),
        ("evil.test", 404),
        ('a"b.example.test', 400),
        ("a.b.example.test", 404),
    ):
        answer = Answer(
            await secure.raw(f"GET /x?y=1 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode(), secure.settings.http_port)
        )
        assert answer.status == status, host
        if status == 308:
            assert answer.header("location") == f"https://{host}:{secure.settings.https_port}/x?y=1"
    assert agent.heads == []


async def test_http2_knows_the_same_closed_paths(secure: Rig) -> None:
    """Frames made by hand, since no client would send such a :path."""
    agent, _ = await secure.recorder("alpha")
    await secure.loop.apply()
    host = secure.host("alpha")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])

    def field(name: str, value: str) -> bytes:
        raw_name, raw_value = name.encode(), value.encode("latin-1")
        return bytes([0, len(raw_name)]) + raw_name + bytes([len(raw_value)]) + raw_value

    def frame(kind: int, flags: int, stream: int, data: bytes = b"") -> bytes:
        return len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + data

    async def ask(path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", secure.port, ssl=context, server_hostname=host)
        fields = field(":method", "GET") + field(":scheme", "https") + field(":authority", host) + field(":path", path)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 5, 1, fields))
        answer = b""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                length, kind, flags, stream = (
                    lambda head: (int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big"))
                )(await reader.readexactly(9))
                data = await reader.readexactly(length)
                answer += data if stream == 1 and kind == 0 else b""
                if (stream == 1 and (flags & 1 or kind == 3)) or kind == 7:
                    break
        writer.close()
        return answer

    assert await ask("/open") == b"agent saw /open"
    for path in CLOSED:
        for spelling in spellings(path):
            await ask(spelling)
    assert agent.targets == ["/open"]


# Rights


async def test_caddy_runs_without_rights(made: Rig) -> None:
    await made.loop.apply()
    facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{made.process.pid}/status").read_text().splitlines())
    assert facts["Uid"].split() == [str(made.settings.caddy_socket.stat().st_uid)] * 4
    assert facts["Uid"].split()[0] != "0"
    assert facts["Groups"].strip() == ""
    assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert facts["NoNewPrivs"] == "1"
    environment = Path(f"/proc/{made.process.pid}/environ").read_bytes().split(b"\0")
    assert {entry.partition(b"=")[0] for entry in environment if entry} == {b"PATH", b"HOME", b"XDG_DATA_HOME", b"XDG_CONFIG_HOME"}


async def test_only_the_edge_and_root_reach_the_admin_socket(made: Rig) -> None:
    await made.loop.apply()
    made.route("beta", None)
    await made.loop.apply()
    path = made.settings.caddy_socket
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    knock = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", knock]
    refused = await asyncio.to_thread(subprocess.run, as_nobody, capture_output=True, text=True, check=False)
    assert "PermissionError" in refused.stderr
    as_edge = [f"--re{kind}={getattr(path.stat(), f'st_{kind}')}" for kind in ("uid", "gid")]
    opened = await asyncio.to_thread(
        subprocess.run, ["setpriv", *as_edge, "--clear-groups", *as_nobody[4:]], capture_output=True, check=False
    )
    assert opened.returncode == 0


async def test_only_the_documents_ports_listen(made: Rig) -> None:
    await made.loop.apply()
    inodes = set()
    for handle in Path(f"/proc/{made.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(handle).removeprefix("socket:[").removesuffix("]"))
    listening = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{made.process.pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and (fields[3] == "0A" or table.startswith("udp")):
                listening.add((table[:3], int(fields[1].split(":")[1], 16)))
    assert listening == {("tcp", made.settings.http_port), ("tcp", made.settings.ask_port)}


async def test_the_kept_document_is_the_edges_to_read_and_nobodys_to_write(made: Rig) -> None:
    await made.loop.apply()
    found = made.settings.edge_document.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 0, made.edge_gid)
    assert json.loads(made.settings.edge_document.read_text()) == made.wanted()
    assert [path.name for path in made.settings.edge_document.parent.iterdir() if path.name.startswith(".")] == []


async def test_a_second_edge_on_the_same_folder_is_refused(made: Rig) -> None:
    with pytest.raises(Refused, match="another edge runs"):
        edge_process.run(made.settings)


async def test_low_ports_are_the_only_right_that_is_ever_kept() -> None:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 87))
    except OSError as error:
        raise AssertionError("this test needs a network of its own: unshare --net") from error
    async with rig(http_port=87) as low:
        await low.process.start()
        facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{low.process.pid}/status").read_text().splitlines())
        assert {facts[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {f"{1 << 10:016x}"}
        assert (await low.ask("nobody.example.test")).status == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"caddy_binary": Path("/nonexistent/caddy")}, "can not be started"),
        ({"caddy_binary": Path("/bin/echo")}, "can not be started"),
        ({"edge_user": "root"}, "is root"),
    ],
)
async def test_what_can_not_work_is_refused_in_words(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=words):
        edge_process.run(Settings(**{"run_dir": _open(tmp_path) / "run", "data_dir": tmp_path / "data", **changes}))


async def test_a_caddy_that_is_too_old_is_refused(tmp_path: Path) -> None:
    old = _open(tmp_path) / "caddy"
    old.write_text("#!/bin/sh\necho v2.6.2\n")
    old.chmod(0o755)
    with pytest.raises(Refused, match=r"at least 2\.7"):
        edge_process.run(Settings(run_dir=tmp_path / "run", data_dir=tmp_path / "data", caddy_binary=old))


async def test_a_folder_the_edge_can_not_enter_is_named(tmp_path: Path) -> None:
    closed = _open(tmp_path) / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Refused, match=f"{closed} is closed"):
        edge_process.run(Settings(run_dir=closed / "run", data_dir=tmp_path / "data"))


def _open(folder: Path) -> Path:
    """pytest's folders are closed to other users, up to /tmp."""
    for above in [folder, *folder.parents][:4]:
        if above.stat().st_uid == os.geteuid() and above != Path("/tmp"):
            above.chmod(above.stat().st_mode | 0o011)
    return folder
