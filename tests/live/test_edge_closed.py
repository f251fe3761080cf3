"""What the edge lets nobody through with: closed paths in any spelling, other tunnels, forged headers, smuggled requests."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.live.edge_rig import DEADLINE_S, Rig, started, verify_nothing

pytestmark = pytest.mark.live


@pytest.fixture
async def secure(anyio_backend: str) -> AsyncIterator[Rig]:
    async with started(tls="internal") as found:
        yield found


CLOSED = [
    "/admin", "/admin/paircode/new", "/admin/shutdown", "/metrics", "/pair/code", "/health", "/healthz", "/api/version/upgrade", "/api/openapi.json",
    "/api/docs", "/ws/nodes", "/hooks/claude-code", "/api/oidc/providers", "/oidc/login/x", "/a2a/main", "/.well-known/agents-card.json",
    "/a2a/main/.well-known/agent-card.json", "/whatsapp/main", "/linq", "/nextcloud-talk/main", "/webhook/gmail",
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


async def test_http2_knows_the_same_closed_paths(secure: Rig) -> None:
    """Frames made by hand, since no client would send such a :path."""
    agent, _ = await secure.recorder("alpha")
    await secure.loop.apply()
    host = secure.host("alpha")
    context = verify_nothing()
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
    for path in CLOSED[::6]:
        for spelling in spellings(path):
            await ask(spelling)
    assert agent.targets == ["/open"]


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
