"""A TLS proxy in front of the edge, as operators run one: another Caddy (F12)."""

import asyncio
import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.live.edge_rig import DEADLINE_S, Answer, Rig, free_port, started, verify_nothing
from zcplatform.edge import binary

pytestmark = pytest.mark.live

CLIENT = "127.0.0.77"


def _front(port: int, edge_port: int) -> dict[str, Any]:
    """Terminates TLS for every name with a certificate of its own, and passes everything on as a stock Caddy does."""
    route = {"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{edge_port}"}]}]}
    names = ["panel.example.test", "alpha.example.test"]
    server = {"listen": [f"127.0.0.1:{port}"], "routes": [route], "tls_connection_policies": [{}], "automatic_https": {"disable": True}}
    automation = {"policies": [{"subjects": names, "issuers": [{"module": "internal"}]}]}
    return {
        "admin": {"disabled": True},
        "apps": {
            "http": {"servers": {"front": server}},
            "tls": {"automation": automation, "certificates": {"automate": names}},
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }


@contextlib.asynccontextmanager
async def proxied(**changes: Any) -> AsyncIterator[tuple[Rig, int]]:
    """The edge with another Caddy in front; the port of that one."""
    public = free_port()
    async with started(public_url=f"https://panel.example.test:{public}", **changes) as made:
        folder = made.settings.data_dir.parent / "front"
        folder.mkdir()
        configuration = folder / "front.json"
        configuration.write_text(json.dumps(_front(public, made.port)))
        process = await asyncio.create_subprocess_exec(
            str(binary(made.settings)), "run", "--config", str(configuration),
            env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield made, public
        finally:
            process.terminate()
            await process.wait()


async def ask(port: int, host: str, headers: str = "") -> Answer:
    """Through the proxy, from an address of our own; again while it is starting."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=verify_nothing(), server_hostname=host, local_addr=(CLIENT, 0)
                )
                break
            except (ConnectionError, ssl.SSLError):
                await asyncio.sleep(0.05)
        writer.write(f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode())
        answer = Answer(await reader.read())
        writer.close()
        return answer


async def test_what_is_behind_the_edge_sees_the_client_and_the_public_scheme() -> None:
    async with proxied(trusted_proxies=["127.0.0.1/32"]) as (made, public):
        agent, tenant = await made.recorder("alpha")
        await made.loop.apply()
        claims = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: http\r\nX-Real-Ip: 6.6.6.6\r\n"
        for host, receiver in ((made.host("alpha"), agent), (made.settings.panel_host, made.web)):
            answer = await ask(public, host, claims)
            assert (answer.status, answer.body) == (200, b"agent saw /x")
            assert receiver.header("x-forwarded-for") == receiver.header("x-real-ip") == [CLIENT]
            assert receiver.header("x-forwarded-proto") == ["https"]
            assert receiver.header("x-forwarded-host") == receiver.header("host") == [host]
        assert (await ask(public, made.host("alpha"))).header("x-zcplatform-tenant") == tenant
        assert made.settings.panel_url == f"https://panel.example.test:{public}"


async def test_a_proxy_that_is_not_named_is_the_client_of_everything() -> None:
    async with proxied(trusted_proxies=["10.9.9.9"]) as (made, public):
        await made.loop.apply()
        await ask(public, made.settings.panel_host)
        assert made.web.header("x-forwarded-for") == ["127.0.0.1"]
