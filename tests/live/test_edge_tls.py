"""Certificates: who gets one, and that plain HTTP and `ask` lead nowhere else."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.live.edge_rig import Answer, Rig, open_folder, rig, started, verify_nothing
from zcplatform.adapters.caddy import EdgeUnreachable

pytestmark = pytest.mark.live


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture
async def secure(anyio_backend: str) -> AsyncIterator[Rig]:
    async with started(tls="internal") as found:
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


async def minted(name: str, folder: Path) -> tuple[Path, Path]:
    """A certificate for alpha and its key, from an edge that makes its own."""
    async with started(tls="internal") as mint:
        mint.route("alpha", None)
        await mint.loop.apply()
        await mint.caddy.marker(mint.host("alpha"))
        made = [next((mint.settings.data_dir / "edge").rglob(f"{mint.host('alpha')}.{kind}")) for kind in ("crt", "key")]
        copies = [Path(shutil.copy(path, folder / f"{name}{path.suffix}")) for path in made]
    for copy in copies:
        copy.chmod(0o644)
    return copies[0], copies[1]


async def served(made: Rig) -> bytes:
    """The certificate that a client is shown."""
    _, writer = await asyncio.open_connection("127.0.0.1", made.port, ssl=verify_nothing(), server_hostname=made.host("alpha"))
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(shown)


def leaf(chain: Path) -> bytes:
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(chain.read_text().partition(end)[0] + end)


async def test_the_operators_files_are_served_and_read_again_when_replaced(folder: Path) -> None:
    first, second = await minted("first", folder), await minted("second", folder)
    live = folder / "live.crt", folder / "live.key"
    for source, target in zip(first, live, strict=True):
        shutil.copy(source, target)
    async with started(tls="files", tls_certificate=live[0], tls_key=live[1]) as made:
        _, tenant = await made.recorder("alpha")
        await made.loop.apply()
        assert await made.caddy.marker(made.host("alpha")) == tenant
        assert leaf(first[0]) == await served(made)
        for source, target in zip(second, live, strict=True):
            shutil.copy(source, target)
        made.restamp()
        await made.loop.apply()
        assert leaf(second[0]) == await served(made)


async def test_a_key_that_the_edge_cannot_read_is_named_at_the_start(folder: Path) -> None:
    certificate, key = await minted("first", folder)
    key.chmod(0o600)
    async with rig(tls="files", tls_certificate=certificate, tls_key=key) as made:
        with pytest.raises(AssertionError, match="cannot read `tls_key`"):
            await made.process.start()
