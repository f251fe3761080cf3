"""What visitors and agents may not say in headers: who they are, where they come from, and cookies for other hosts."""

import asyncio

import pytest

from tests.live.edge_rig import Rig, started

pytestmark = pytest.mark.live

LIES = (
    "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 7.7.7.7\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nTrue-Client-IP: 6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\n"
    "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX_Forwarded_For: 6.6.6.6\r\nConnection: X-Forwarded-For\r\nX-HTTP-Method-Override: DELETE\r\n"
)
CLAIMS = (
    "Client-Ip", "X-Client-Ip", "X-ClientIP", "True-Client-IP", "CF-Connecting-IP", "Cf-Connecting-IPv6", "Fastly-Client-IP", "Fastly-SSL",
    "Fly-Client-IP", "X-Cluster-Client-IP", "X-Azure-ClientIP", "X-Azure-SocketIP", "X-Appengine-User-IP", "X-Original-Forwarded-For",
    "X-ProxyUser-Ip", "WL-Proxy-Client-IP", "Proxy-Client-IP", "X-Originating-IP", "X-Remote-IP", "X-Remote-Addr", "Remote-Addr", "X-Host",
    "X-Forwarded-Server", "X-Envoy-External-Address", "X-Envoy-Original-Path", "X-Nf-Client-Connection-Ip", "X-Vercel-Forwarded-For",
    "Ali-CDN-Real-IP", "Cdn-Src-Ip", "Akamai-Origin-Hop", "CloudFront-Viewer-Address",
    "X-Authenticated-User", "X-Authenticated-Userid", "X-Auth-Request-User", "X-Auth-User", "X-Authentik-Username", "X-Webauth-User",
    "Remote-User", "X-Remote-User", "Remote-Groups", "X-User", "X-User-Id", "X-Userinfo", "X-Email", "X-Groups", "X-Preferred-Username",
    "X-MS-Client-Principal", "X-Ms-Client-Principal-Name", "X-Goog-Authenticated-User-Email", "X-Goog-IAP-JWT-Assertion",
    "X-Amzn-Oidc-Identity", "Cf-Access-Authenticated-User-Email", "Cf-Access-Jwt-Assertion", "Tailscale-User-Login", "X-Pomerium-Claim-Email",
    "X-Consumer-Username", "X-Credential-Identifier", "X-SSL-Client-Verify", "SSL-Client-Cert", "X-Client-Cert", "X-ARR-ClientCert",
    "OIDC-Claim-Sub", "X-Impersonate-User", "Impersonate-User", "X-Tenant-Id", "X-Role", "X-Admin", "X-Zeroclaw-Admin-Token", "X-Zcplatform",
    "X-HTTP-Method", "X-HTTP-Host-Override", "X-Original-URL", "X-Rewrite-URL", "REMOTE_USER", "client_ip",
)  # fmt: skip
NEEDED = (
    "Authorization", "Cookie", "Origin", "Accept-Language", "Last-Event-Id", "Idempotency-Key", "If-Match", "X-Pairing-Code",
    "X-Hub-Signature-256", "X-Line-Signature", "X-Lark-Signature", "X-Webhook-Signature", "X-Webhook-Timestamp", "X-Idempotency-Key",
    "X-Nextcloud-Talk-Random", "X-Nextcloud-Talk-Signature", "X-Goog-Channel-Id", "X-Request-Id", "Traceparent", "X-Session-Id",
)  # fmt: skip
COOKIES = {
    "a=1; Domain=example.test": "a=1",
    "b=1;domain=.example.test; Path=/": "b=1; Path=/",
    "c=1; Secure; \tDOMAIN \t= example.test ;HttpOnly": "c=1; Secure;HttpOnly",
    "d=1; Domain=example.test; domain=other.test; SameSite=Lax": "d=1; SameSite=Lax",
    'e="x; Domain=example.test"; Path=/': 'e="x; Path=/',
    "f=1; dom; domain=ain=example.test; Path=/": "f=1; dom; Path=/",
    "g=1; Domain=\xe9example.test; Path=/": "g=1; Path=/",
    "domain=value; Path=/; Max-Age=5": "domain=value; Path=/; Max-Age=5",
    "__Host-h=1; Path=/; Secure": "__Host-h=1; Path=/; Secure",
}


async def test_the_api_believes_no_client_about_its_address(made: Rig) -> None:
    """S-37: limits by address and the audit hold the address that the edge saw."""
    await made.loop.apply()
    await made.ask(made.settings.panel_host, "/api/tenants", headers=LIES)
    assert made.web.header("x-forwarded-for") == made.web.header("x-real-ip") == ["127.0.0.1"]
    assert made.web.header("x-forwarded-proto") == ["http"]
    assert made.web.header("x-forwarded-host") == made.web.header("host") == [made.settings.panel_host]
    for word in ("6.6.6.6", "7.7.7.7", "evil.example", "X-Http-Method", "Forwarded: for"):
        assert word.lower() not in made.web.heads[-1].lower()


async def test_no_visitor_claims_an_identity(made: Rig) -> None:
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    claims = "".join(f"{spelled}: canary\r\n" for name in CLAIMS for spelled in (name, name.swapcase()))
    for host, receiver in ((made.host("alpha"), agent), (made.settings.panel_host, made.web)):
        assert (await made.ask(host, "/x", headers=claims)).status == 200
        left = [line for line in receiver.heads[-1].split("\r\n") if "canary" in line]
        assert left == []


async def test_headers_that_agents_and_channels_need_arrive(made: Rig) -> None:
    agent, _ = await made.recorder("alpha")
    await made.loop.apply()
    await made.ask(made.host("alpha"), "/x", headers="".join(f"{name}: needed\r\n" for name in NEEDED))
    assert [name for name in NEEDED if agent.header(name) != ["needed"]] == []


async def test_cookies_of_an_agent_stay_with_its_own_host(made: Rig) -> None:
    """With a Domain they would be sent to the panel and to every other tenant."""
    lines = "".join(f"{'Set-Cookie' if place % 2 else 'SET-cookie'}: {cookie}\r\n" for place, cookie in enumerate(COOKIES))
    agent, _ = await made.recorder("alpha", extra=lines)
    await made.loop.apply()
    answer = await made.ask(made.host("alpha"), "/x")
    assert [value for name, value in answer.headers if name == "set-cookie"] == list(COOKIES.values())
    assert agent.targets == ["/x"]


async def test_cookies_on_a_websocket_upgrade_stay_as_well(made: Rig) -> None:
    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "Upgrade: websocket\r\nConnection: Upgrade\r\nSet-Cookie: w=1; Domain=example.test; Path=/\r\n"
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode())
        await writer.drain()
        writer.close()

    made.route("alpha", await made.agent(upgrade))
    await made.loop.apply()
    head = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    answer = (await made.raw(f"GET /ws HTTP/1.1\r\nHost: {made.host('alpha')}\r\n{head}\r\n".encode())).decode("latin-1")
    assert answer.startswith("HTTP/1.1 101")
    assert "Set-Cookie: w=1; Path=/\r\n" in answer


async def test_a_proxy_in_front_is_believed_about_the_client_and_nothing_else() -> None:
    """F12: `trusted_proxies` names it; the client is the last address that is not one of them."""
    public = "https://panel.example.test"
    async with started(public_url=public, trusted_proxies=["127.0.0.1", "10.9.0.0/16"]) as made:
        agent, _ = await made.recorder("alpha")
        await made.loop.apply()
        claimed = "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.9.1.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil.example\r\nClient-Ip: 6.6.6.6\r\n"
        for host, receiver in ((made.host("alpha"), agent), (made.settings.panel_host, made.web)):
            await made.ask(host, "/x", headers=claimed)
            assert receiver.header("x-forwarded-for") == receiver.header("x-real-ip") == ["203.0.113.9"]
            assert receiver.header("x-forwarded-proto") == ["https"]
            assert receiver.header("x-forwarded-host") == [host]
            assert receiver.header("client-ip") == []
        await made.ask(made.settings.panel_host, "/x")
        assert made.web.header("x-forwarded-for") == ["127.0.0.1"]


async def test_an_address_that_is_no_trusted_proxy_is_not_believed() -> None:
    async with started(public_url="https://panel.example.test", trusted_proxies=["10.9.0.0/16"]) as made:
        await made.loop.apply()
        await made.ask(made.settings.panel_host, "/x", headers="X-Forwarded-For: 203.0.113.9\r\n")
        assert made.web.header("x-forwarded-for") == made.web.header("x-real-ip") == ["127.0.0.1"]
