"""The agent's HTTP client meets agents that send false, slow and oversized answers."""

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
    RoutedAgent,
    SilentAgent,
    answer,
    at,
)
from zcplatform.adapters.gateway import Gateway
from zcplatform.adapters.untrusted import LONGEST_BODY
from zcplatform.agent.gateway_answers import Channel, Component, Device, Health
from zcplatform.errors import NotFound, Unavailable

DEADLINE_S = 0.3
BEARER = "zc_" + "ab" * 32


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(timeout_s=DEADLINE_S) as gateway:
        yield gateway


async def test_health_names_every_component_and_its_restarts(gateway: Gateway) -> None:
    async with HonestAgent().running() as port:
        health = await gateway.health(at(port))
    assert health == Health(
        is_ok=True,
        is_paired=True,
        requires_pairing=True,
        components=(Component("channel:irc.main", "error", 7), Component("gateway", "ok", 0)),
    )


async def test_health_of_an_agent_that_says_it_is_ill(gateway: Gateway) -> None:
    async with HonestAgent(status="degraded").running() as port:
        health = await gateway.health(at(port))
    assert not health.is_ok
    assert health.error == "the agent reports degraded"


async def test_nothing_on_the_port_is_unreachable(gateway: Gateway) -> None:
    async with HonestAgent().running() as port:
        pass
    assert (await gateway.health(at(port))).error == f"nothing answers on port {port}"
    with pytest.raises(Unavailable) as caught:
        await gateway.initiate_pairing(at(port), BEARER)
    assert caught.value.code == "agent.unreachable"


@pytest.mark.parametrize("agent", [SilentAgent(), DrippingAgent()], ids=lambda agent: type(agent).__name__)
async def test_a_slow_agent_is_left_at_the_deadline(gateway: Gateway, agent: Agent) -> None:
    began = time.monotonic()
    async with agent.running() as port:
        with pytest.raises(Unavailable) as caught:
            await gateway.initiate_pairing(at(port), BEARER)
    assert caught.value.code == "agent.too_slow"
    assert DEADLINE_S <= time.monotonic() - began < 10 * DEADLINE_S, "it never ends by itself"


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
        health = await gateway.health(at(port))
        with pytest.raises(Unavailable) as caught:
            await gateway.initiate_pairing(at(port), BEARER)
    assert not health.is_ok
    assert health.error
    assert caught.value.code in ("agent.bad_answer", "agent.unreachable")
    assert len(caught.value.detail) < 200


async def test_an_endless_body_is_cut_at_the_limit(gateway: Gateway) -> None:
    agent = EndlessAgent()
    async with agent.running() as port:
        health = await gateway.health(at(port))
    assert health.error == f"the agent's answer is longer than {LONGEST_BODY} bytes"
    assert agent.sent < 100 * LONGEST_BODY


async def test_a_redirect_is_not_followed_and_the_bearer_goes_nowhere(gateway: Gateway) -> None:
    sink = HonestAgent()
    async with sink.running() as elsewhere, RedirectingAgent(f"http://127.0.0.1:{elsewhere}/").running() as port:
        assert not (await gateway.health(at(port))).is_ok
        with pytest.raises(Unavailable):
            await gateway.initiate_pairing(at(port), BEARER)
    assert sink.asked == []


async def test_no_cookie_is_brought_back(gateway: Gateway) -> None:
    agent = CookieAgent()
    async with agent.running() as port:
        await gateway.health(at(port))
        await gateway.health(at(port))
    assert len(agent.asked) == 2
    assert b"cookie" not in agent.asked[1].lower()


async def test_no_proxy_of_the_environment_is_used(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, agent = HonestAgent(), HonestAgent()
    async with proxy.running() as proxy_port, agent.running() as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy_port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy_port}")
        assert (await gateway.health(at(port))).is_ok
    assert proxy.asked == []


async def test_health_carries_no_bearer(gateway: Gateway) -> None:
    agent = HonestAgent()
    async with agent.running() as port:
        await gateway.health(at(port))
    assert b"authorization" not in agent.asked[0].lower()


async def test_strange_words_of_the_agent_are_made_plain(gateway: Gateway) -> None:
    row = {"status": "o\x1b[31mk\n" + "x" * 500, "restart_count": -1}
    async with HonestAgent(runtime={"components": {"a\x00": row, "b": 5, "c": {"restart_count": 10**30}}}).running() as port:
        health = await gateway.health(at(port))
    names = [component.name for component in health.components]
    assert names == ["a?", "b", "c"]
    assert health.components[0].status.startswith("o?[31mk?x")
    assert len(health.components[0].status) == 64
    assert [component.restarts for component in health.components] == [0, 0, 2**31]
    assert health.components[1].status == "unknown"


async def test_a_pairing_code_is_asked_with_the_bearer(gateway: Gateway) -> None:
    agent = OddAgent({"pairing_code": "Ab1", "message": "New pairing code generated"})
    async with agent.running() as port:
        assert await gateway.initiate_pairing(at(port), BEARER) == "Ab1"
    assert agent.asked[0].startswith(b"POST /api/pairing/initiate HTTP/1.1\r\n")
    assert f"authorization: bearer {BEARER}".encode() in agent.asked[0].lower()


async def test_a_refused_token_has_its_own_code(gateway: Gateway) -> None:
    async with Agent(answer(b'{"error":"Unauthorized"}', "401 Unauthorized")).running() as port:
        with pytest.raises(Unavailable) as caught:
            await gateway.initiate_pairing(at(port), BEARER)
    assert caught.value.code == "agent.rejected_token"
    assert BEARER not in str(vars(caught.value))


async def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(gateway: Gateway) -> None:
    body = json.dumps(HEALTHY).encode()
    padded = body + b" " * (LONGEST_BODY - len(body))
    async with Agent(answer(padded)).running() as port:
        assert (await gateway.health(at(port))).is_ok
    async with Agent(answer(padded + b" ")).running() as port:
        assert not (await gateway.health(at(port))).is_ok


# Channels, devices and messages


IRC = {"name": "irc.main", "type": "irc", "compiled": True, "enabled": True, "status": "unknown", "health": "degraded"}
UNREADY = {"listening": "unknown", "requirements": []}


def listing(name: str, *rows: object) -> bytes:
    return answer(json.dumps({name: list(rows)}).encode())


def components(**rows: object) -> bytes:
    return answer(json.dumps({"health": {"components": rows}}).encode())


async def test_a_channel_is_shown_with_the_state_of_its_component(gateway: Gateway) -> None:
    routes = {
        "GET /api/channels": listing("channels", {**IRC, "readiness": UNREADY}),
        "GET /api/health": answer(
            json.dumps(
                {"health": {"components": {"channel:irc.main": {"status": "error", "restart_count": 3, "last_error": "refused\x1b"}}}}
            ).encode()
        ),
    }
    async with RoutedAgent(routes).running() as port:
        found = await gateway.channels(at(port), BEARER)
    expected = Channel(
        name="irc.main", kind="irc", is_compiled=True, is_enabled=True, is_ready=False, status="error", restarts=3,
        error="refused?", requirements=(),
    )  # fmt: skip
    assert found == (expected,)


async def test_a_channel_without_a_component_is_as_the_listing_says(gateway: Gateway) -> None:
    missing = {**IRC, "compiled": False, "status": "not_compiled", "readiness": {"listening": "missing", "requirements": ["Enable it.", 5]}}
    routes = {"GET /api/channels": listing("channels", missing, {}), "GET /api/health": components()}
    async with RoutedAgent(routes).running() as port:
        first, odd = await gateway.channels(at(port), BEARER)
    assert (first.is_compiled, first.is_ready, first.status, first.requirements) == (False, False, "not_compiled", ("Enable it.", "5"))
    assert (odd.name, odd.is_compiled, odd.is_enabled, odd.is_ready, odd.error) == ("", False, False, None, None)


async def test_devices_and_which_of_them_nobody_paired(gateway: Gateway) -> None:
    rows = [
        {"id": "a-1", "name": None, "device_type": "legacy", "ip_address": None, "paired_at": "t", "last_seen": "u"},
        {"id": "b-2", "name": "Pho\nne", "device_type": "legacy", "ip_address": "192.0.2.1", "paired_at": "t", "last_seen": 5},
    ]
    async with RoutedAgent({"GET /api/devices": listing("devices", *rows)}).running() as port:
        found = await gateway.devices(at(port), BEARER)
    assert found == (
        Device("a-1", None, "legacy", None, "t", "u", is_legacy=True),
        Device("b-2", "Pho?ne", "legacy", "192.0.2.1", "t", None, is_legacy=False),
    )


async def test_a_device_is_revoked_by_its_id_and_nothing_else_is_asked(gateway: Gateway) -> None:
    agent = RoutedAgent({"DELETE /api/devices/a-1": answer(b"{}")})
    async with agent.running() as port:
        await gateway.revoke(at(port), BEARER, "a-1")
        for wrong in ("b-2", "../pairing/initiate", "a-1/token/rotate", "a-1?x=1", "", "x" * 65, "ä"):
            with pytest.raises(NotFound):
                await gateway.revoke(at(port), BEARER, wrong)
    assert [asked.split(b"\r\n")[0] for asked in agent.asked] == [b"DELETE /api/devices/a-1 HTTP/1.1", b"DELETE /api/devices/b-2 HTTP/1.1"]


@pytest.mark.parametrize("agent", BAD, ids=lambda agent: f"{type(agent).__name__}-{len(agent.said)}")
async def test_a_bad_answer_to_any_question_is_a_named_error(gateway: Gateway, agent: Agent) -> None:
    async with agent.running() as port:
        for ask in (gateway.channels(at(port), BEARER), gateway.devices(at(port), BEARER), gateway.say(at(port), BEARER, "x")):
            with pytest.raises(Unavailable) as caught:
                await ask
            assert caught.value.code in ("agent.bad_answer", "agent.unreachable", "agent.model_failed")


async def test_more_rows_than_an_agent_can_have_are_no_answer(gateway: Gateway) -> None:
    async with RoutedAgent({"GET /api/devices": listing("devices", *[{}] * 600)}).running() as port:
        with pytest.raises(Unavailable):
            await gateway.devices(at(port), BEARER)
