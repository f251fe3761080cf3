"""The agent's HTTP client meets agents that lie, stall and shout."""

import json
import time
from collections.abc import AsyncIterator

import pytest

from tests.fakes.agents import (
    HEALTHY,
    Agent,
    CompressedAgent,
    CookieAgent,
    DeepAgent,
    DrippingAgent,
    EndlessAgent,
    EndlessHeadersAgent,
    GibberishAgent,
    HangingUpAgent,
    HonestAgent,
    HugeHeaderAgent,
    OddAgent,
    RedirectingAgent,
    SilentAgent,
    answer,
)
from zcplatform.adapters.gateway import LONGEST_BODY, Component, Gateway, Health
from zcplatform.errors import Unavailable

DEADLINE_S = 0.3
BEARER = "zc_" + "ab" * 32


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(timeout_s=DEADLINE_S) as gateway:
        yield gateway


async def test_health_names_every_component_and_its_restarts(gateway: Gateway) -> None:
    async with HonestAgent().running() as port:
        health = await gateway.health(port)
    assert health == Health(
        is_ok=True,
        is_paired=True,
        requires_pairing=True,
        components=(Component("channel:irc.main", "error", 7), Component("gateway", "ok", 0)),
    )


async def test_health_of_an_agent_that_says_it_is_ill(gateway: Gateway) -> None:
    async with HonestAgent(status="degraded").running() as port:
        health = await gateway.health(port)
    assert not health.is_ok
    assert health.error == "the agent reports degraded"


async def test_nothing_on_the_port_is_unreachable(gateway: Gateway) -> None:
    async with HonestAgent().running() as port:
        pass
    assert (await gateway.health(port)).error == f"nothing answers on port {port}"
    with pytest.raises(Unavailable) as caught:
        await gateway.initiate_pairing(port, BEARER)
    assert caught.value.code == "agent.unreachable"


@pytest.mark.parametrize("agent", [SilentAgent(), DrippingAgent()], ids=lambda agent: type(agent).__name__)
async def test_a_slow_agent_is_left_at_the_deadline(gateway: Gateway, agent: Agent) -> None:
    began = time.monotonic()
    async with agent.running() as port:
        with pytest.raises(Unavailable) as caught:
            await gateway.initiate_pairing(port, BEARER)
    assert caught.value.code == "agent.too_slow"
    assert DEADLINE_S <= time.monotonic() - began < DEADLINE_S + 1


BAD = [
    EndlessHeadersAgent(),
    HugeHeaderAgent(),
    DeepAgent(),
    GibberishAgent(),
    HangingUpAgent(),
    CompressedAgent(),
    Agent(answer(b"<html>")),
    Agent(answer(b"9" * 60_000)),
    Agent(answer(b"\xff\xfe")),
    Agent(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n{}"),
    Agent(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}"),
    Agent(b"HTTP/1.1 99999 OK\r\ncontent-length: 2\r\n\r\n{}"),
    Agent(b"HTTP/1.1 200 OK\r\ncontent length: 2\r\n\r\n{}"),
    OddAgent([]),
    OddAgent("ok"),
    OddAgent({"status": 5}),
    OddAgent({"status": "ok", "runtime": []}),
    OddAgent({"status": "ok", "runtime": {"components": [1]}}),
    OddAgent({"status": "ok", "runtime": {"components": {str(number): {} for number in range(1000)}}}),
    OddAgent({"pairing_code": 5}),
    OddAgent({"pairing_code": ""}),
    OddAgent({"pairing_code": "<script>"}),
    OddAgent({"pairing_code": "a" * 5_000}),
    Agent(answer(b"{}", "500 Oh")),
    Agent(answer(b"no", "503 No")),
]


@pytest.mark.parametrize("agent", BAD, ids=lambda agent: f"{type(agent).__name__}-{len(agent.said)}")
async def test_a_bad_answer_is_a_named_error(gateway: Gateway, agent: Agent) -> None:
    async with agent.running() as port:
        health = await gateway.health(port)
        with pytest.raises(Unavailable) as caught:
            await gateway.initiate_pairing(port, BEARER)
    assert not health.is_ok
    assert health.error
    assert caught.value.code in ("agent.bad_answer", "agent.unreachable")
    assert len(caught.value.detail) < 200


async def test_an_endless_body_is_cut_at_the_limit(gateway: Gateway) -> None:
    agent = EndlessAgent()
    async with agent.running() as port:
        health = await gateway.health(port)
    assert health.error == f"the agent's answer is longer than {LONGEST_BODY} bytes"
    assert agent.sent < 100 * LONGEST_BODY


async def test_a_redirect_is_not_followed_and_the_bearer_goes_nowhere(gateway: Gateway) -> None:
    sink = HonestAgent()
    async with sink.running() as elsewhere, RedirectingAgent(f"http://127.0.0.1:{elsewhere}/").running() as port:
        assert not (await gateway.health(port)).is_ok
        with pytest.raises(Unavailable):
            await gateway.initiate_pairing(port, BEARER)
    assert sink.asked == []


async def test_no_cookie_is_brought_back(gateway: Gateway) -> None:
    agent = CookieAgent()
    async with agent.running() as port:
        await gateway.health(port)
        await gateway.health(port)
    assert len(agent.asked) == 2
    assert b"cookie" not in agent.asked[1].lower()


async def test_no_proxy_of_the_environment_is_used(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, agent = HonestAgent(), HonestAgent()
    async with proxy.running() as proxy_port, agent.running() as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy_port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy_port}")
        assert (await gateway.health(port)).is_ok
    assert proxy.asked == []


async def test_health_carries_no_bearer(gateway: Gateway) -> None:
    agent = HonestAgent()
    async with agent.running() as port:
        await gateway.health(port)
    assert b"authorization" not in agent.asked[0].lower()


async def test_strange_words_of_the_agent_are_made_plain(gateway: Gateway) -> None:
    row = {"status": "o\x1b[31mk\n" + "x" * 500, "restart_count": -1}
    async with HonestAgent(runtime={"components": {"a\x00": row, "b": 5, "c": {"restart_count": 10**30}}}).running() as port:
        health = await gateway.health(port)
    names = [component.name for component in health.components]
    assert names == ["a?", "b", "c"]
    assert health.components[0].status.startswith("o?[31mk?x")
    assert len(health.components[0].status) == 64
    assert [component.restarts for component in health.components] == [0, 0, 2**31]
    assert health.components[1].status == "unknown"


async def test_a_pairing_code_is_asked_with_the_bearer(gateway: Gateway) -> None:
    agent = OddAgent({"pairing_code": "Ab1", "message": "New pairing code generated"})
    async with agent.running() as port:
        assert await gateway.initiate_pairing(port, BEARER) == "Ab1"
    assert agent.asked[0].startswith(b"POST /api/pairing/initiate HTTP/1.1\r\n")
    assert f"authorization: bearer {BEARER}".encode() in agent.asked[0].lower()


async def test_a_refused_token_has_its_own_code(gateway: Gateway) -> None:
    async with Agent(answer(b'{"error":"Unauthorized"}', "401 Unauthorized")).running() as port:
        with pytest.raises(Unavailable) as caught:
            await gateway.initiate_pairing(port, BEARER)
    assert caught.value.code == "agent.refused_token"
    assert BEARER not in str(vars(caught.value))


async def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(gateway: Gateway) -> None:
    body = json.dumps(HEALTHY).encode()
    padded = body + b" " * (LONGEST_BODY - len(body))
    async with Agent(answer(padded)).running() as port:
        assert (await gateway.health(port)).is_ok
    async with Agent(answer(padded + b" ")).running() as port:
        assert not (await gateway.health(port)).is_ok
