"""The test of a provider's key against services that redirect, rebind, stall, flood and give false answers: what is reported, and what is never called."""

import asyncio
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from tests.fakes.mail_servers import CERTIFICATE, certificate
from tests.fakes.model_services import (
    GOOD,
    BombProvider,
    DeepProvider,
    DrippingProvider,
    EndlessProvider,
    GarbageProvider,
    GibberishProvider,
    HonestProvider,
    NoListProvider,
    PublicListProvider,
    RebindingResolver,
    RedirectingProvider,
    ResettingProvider,
    SlowProvider,
    StatusProvider,
    forgetful,
)
from zcplatform.adapters.providers import ProviderClient, Resolve, Unreachable, is_of_this_host
from zcplatform.adapters.untrusted import LONGEST_BODY
from zcplatform.agent import provider_input
from zcplatform.agent.provider_calls import ProviderTestOutcome, Result, talk

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LIMIT_S = 0.5
DOMAIN = "agents.example"


async def tried(
    url: str, *, allowed: list[str], key: str | None = GOOD, model: str = "echo", resolve: Resolve | None = None, limit_s: float = 5
) -> ProviderTestOutcome:
    providers = ProviderClient(allowed, DOMAIN, resolve=resolve, timeout_s=limit_s)
    return await providers.hold(talk(provider_input.of("custom", model, url, key), NOW))


async def test_a_good_key_works_and_the_list_is_asked_for_again_without_it() -> None:
    async with HonestProvider().running() as service:
        verdict = await tried(service.url, allowed=[service.place])
    assert verdict == ProviderTestOutcome(Result.WORKS, "it accepted the key", 200, True)
    assert [(asked.method, asked.path, asked.key) for asked in service.asked] == [("GET", "/v1/models", GOOD), ("GET", "/v1/models", "")]


async def test_a_model_that_is_not_listed_is_told() -> None:
    async with HonestProvider().running() as service:
        verdict = await tried(service.url, allowed=[service.place], model="nosuch")
    assert (verdict.result, verdict.model_listed) == (Result.WORKS, False)


async def test_a_list_that_everybody_may_read_proves_nothing() -> None:
    async with PublicListProvider().running() as service:
        good = await tried(service.url, allowed=[service.place])
        bad = await tried(service.url, allowed=[service.place], key="sk-wrong")
    assert (good.result, bad.result) == (Result.WORKS, Result.REFUSED)
    assert service.asked[2].path == "/v1/chat/completions"


async def test_without_a_list_the_smallest_completion_is_asked_for() -> None:
    async with NoListProvider().running() as service:
        assert (await tried(service.url, allowed=[service.place])).result is Result.WORKS
        assert (await tried(service.url, allowed=[service.place], key="sk-wrong")).result is Result.REFUSED
        wrong = await tried(service.url, allowed=[service.place], model="nosuch")
    assert (wrong.result, wrong.status) == (Result.ODD, 404)
    assert b'"max_tokens": 1' in service.asked[1].body


@pytest.mark.parametrize(
    ("status", "result"),
    [(401, "refused"), (403, "refused"), (402, "limited"), (429, "limited"), (500, "odd"), (503, "odd"), (302, "odd"), (418, "odd")],
)
async def test_what_it_says_is_told_as_a_class_and_never_in_its_words(status: int, result: str) -> None:
    async with StatusProvider(status).running() as service:
        verdict = await tried(service.url, allowed=[service.place])
    assert (verdict.result, verdict.status) == (result, status)
    assert "canary" not in repr(verdict)


@pytest.mark.parametrize("service", [GarbageProvider(), DeepProvider(), BombProvider()], ids=lambda service: type(service).__name__)
async def test_what_is_no_answer_of_a_provider_is_no_success(service: HonestProvider) -> None:
    async with service.running():
        verdict = await tried(service.url, allowed=[service.place])
    assert verdict.result is Result.ODD
    assert "canary" not in repr(verdict)


async def test_the_certificate_must_be_of_an_authority_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HonestProvider().running(certificate()) as service:
        url = f"https://localhost:{service.port}/v1"
        with pytest.raises(Unreachable):
            await tried(url, allowed=[service.place], resolve=RebindingResolver([[service.address]]))
        assert service.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        verdict = await tried(url, allowed=[service.place], resolve=RebindingResolver([[service.address]]))
    assert verdict.result is Result.WORKS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(status: int) -> None:
    async with HonestProvider("127.0.0.6").running() as inside, RedirectingProvider(inside.url, status).running() as service:
        verdict = await tried(service.url, allowed=[service.place, inside.place])
    assert (verdict.result, verdict.status) == (Result.ODD, status)
    assert inside.connections == 0


async def test_a_redirect_to_the_cloud_s_metadata_is_not_followed() -> None:
    async with RedirectingProvider("http://169.254.169.254/latest/meta-data/").running() as service:
        assert (await tried(service.url, allowed=[service.place])).result is Result.ODD
    assert service.connections == 1


async def test_a_name_is_looked_up_once_and_the_address_stays() -> None:
    """A name that leads somewhere good at the first look and inside at the second: the second is never taken."""
    async with PublicListProvider().running() as service, _at("127.0.0.1", service.port) as inside:
        resolve = RebindingResolver([["127.0.0.5"], ["127.0.0.1"]])
        verdict = await tried(f"http://rebinding.test:{service.port}/v1", allowed=[service.place], resolve=resolve)
    assert verdict.result is Result.WORKS
    assert resolve.asked == ["rebinding.test"]
    assert (service.connections, inside.count) == (3, 0)


async def test_a_name_with_one_good_and_one_closed_address_is_closed() -> None:
    async with HonestProvider().running() as service, _at("127.0.0.1", service.port) as inside:
        resolve = RebindingResolver([["127.0.0.5", "127.0.0.1"]])
        with pytest.raises(Unreachable):
            await tried(f"http://both.test:{service.port}/v1", allowed=[service.place], resolve=resolve)
    assert (service.connections, inside.count) == (0, 0)


INSIDE = [
    "127.0.0.1",
    "127.0.0.7",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[fd00::1]",
    "0",
    "0.0.0.0",
    "0x7f.1",
    "0177.0.0.1",
    "2130706433",
    "127.1",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "user@127.0.0.1",
    "127.0.0.1%00",
    "127.0.0.1\r\nx:",
]


@pytest.mark.parametrize("host", INSIDE)
async def test_nothing_inside_is_called_however_it_is_written(host: str) -> None:
    async with HonestProvider("127.0.0.5").running() as other, _at("0.0.0.0", 0) as inside:
        try:
            told = (await tried(f"http://{host}:{inside.port}/v1", allowed=[other.place])).result
        except Unreachable:
            told = Result.UNREACHABLE
    assert told is (Result.NOT_TESTABLE if "@" in host else Result.UNREACHABLE)
    assert inside.count == 0


CLOSED = [
    "10.0.0.1",
    "172.17.0.1",
    "192.168.1.1",
    "10.83.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", CLOSED)
async def test_closed_ranges_are_refused_at_once(address: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unreachable):
        await tried(f"http://name.test:{8080}/v1", allowed=["127.0.0.5:8080"], resolve=RebindingResolver([[address]]))
    assert time.monotonic() - began < LIMIT_S


@pytest.mark.parametrize("scheme", ["file", "gopher", "unix", "ftp"])
async def test_other_schemes_are_not_testable(scheme: str) -> None:
    assert (await tried(f"{scheme}:///etc/passwd", allowed=[])).result is Result.NOT_TESTABLE


async def test_the_operator_s_pair_opens_one_port_only() -> None:
    async with HonestProvider().running() as service:
        with pytest.raises(Unreachable):
            await tried(service.url, allowed=[f"{service.address}:{service.port + 1}"])
    assert service.connections == 0


async def test_this_installation_itself_is_not_called() -> None:
    """Neither by its own names nor by an address that this host holds, be it a public one."""
    for host in ("panel.agents.example", "AGENTS.example.", "shop.agents.example"):
        resolve = RebindingResolver([["1.2.3.4"]])
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await tried(f"http://{host}:81/v1", allowed=[], resolve=resolve)
        assert time.monotonic() - began < LIMIT_S, "refused, not tried"
        assert len(resolve.asked) == 1
    assert [is_of_this_host(address) for address in ("127.0.0.9", "1.2.3.4")] == [True, False]


async def test_everything_that_fails_is_one_and_the_same() -> None:
    said = set()
    async with _closed_port() as port:
        ways = [
            tried(f"http://127.0.0.5:{port}/v1", allowed=[f"127.0.0.5:{port}"], limit_s=LIMIT_S),
            tried("http://nosuch.test/v1", allowed=[], resolve=forgetful, limit_s=LIMIT_S),
            tried("http://10.0.0.1/v1", allowed=[], limit_s=LIMIT_S),
        ]
        for way in ways:
            said.add(await _failure(way))
    for service in (SlowProvider(), DrippingProvider(), ResettingProvider(), GibberishProvider()):
        async with service.running():
            said.add(await _failure(tried(service.url, allowed=[service.place], limit_s=LIMIT_S)))
    async with HonestProvider().running() as plain:
        said.add(await _failure(tried(plain.url.replace("http:", "https:"), allowed=[plain.place], limit_s=LIMIT_S)))
    assert said == {""}


async def test_a_slow_service_is_left_at_the_limit() -> None:
    async with SlowProvider().running() as service:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await tried(service.url, allowed=[service.place], limit_s=LIMIT_S)
    assert LIMIT_S <= time.monotonic() - began < 10 * LIMIT_S, "it would never answer"


async def test_an_endless_body_is_cut() -> None:
    service = EndlessProvider()
    async with service.running():
        verdict = await tried(service.url, allowed=[service.place])
    assert verdict.result is Result.ODD
    assert service.sent < 200 * LONGEST_BODY


async def test_no_proxy_of_the_environment_sees_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with HonestProvider("127.0.0.6").running() as proxy, HonestProvider().running() as service:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.place}")
        assert (await tried(service.url, allowed=[service.place])).result is Result.WORKS
    assert proxy.connections == 0


async def test_the_key_is_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ResettingProvider().running() as service:
        with pytest.raises(Unreachable) as caught:
            await tried(service.url, allowed=[service.place])
    assert GOOD not in caplog.text + repr(caught.value) + repr(caught.value.__context__)


async def _failure(way: object) -> str:
    with pytest.raises(Unreachable) as caught:
        await way  # type: ignore[misc]
    return str(caught.value)


class _Counting:
    def __init__(self) -> None:
        self.count = 0
        self.port = 0

    def connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        writer.close()


@asynccontextmanager
async def _at(address: str, port: int) -> AsyncIterator[_Counting]:
    """A listener that only counts who comes."""
    counting = _Counting()
    server = await asyncio.start_server(counting.connected, address, port)
    counting.port = server.sockets[0].getsockname()[1]
    async with server:
        yield counting


@asynccontextmanager
async def _closed_port() -> AsyncIterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.5", 0))
        yield int(held.getsockname()[1])
