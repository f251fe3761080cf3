"""One message to an agent, one answer, and what it may end in."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.fakes.agents import RoutedAgent, answer, at
from zcplatform.adapters.gateway import Gateway
from zcplatform.adapters.untrusted import LONGEST_BODY
from zcplatform.agent.gateway_answers import Said
from zcplatform.errors import Conflict, PlatformError, Unavailable

BEARER = "zc_" + "ab" * 32


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(timeout_s=0.3) as gateway:
        yield gateway


async def test_a_message_and_its_answer(gateway: Gateway) -> None:
    agent = RoutedAgent({"POST /webhook": answer(json.dumps({"response": "hëllo \x1b[31m", "model": "echo\n"}).encode())})
    async with agent.running() as port:
        assert await gateway.say(at(port), BEARER, "hé \ud800") == Said("hëllo \x1b[31m", "echo?")
    assert json.loads(agent.bodies[0]) == {"message": "hé ?"}
    assert b"content-type: application/json" in agent.asked[0].lower()


@pytest.mark.parametrize(
    ("said", "kind", "code"),
    [
        (answer(b'{"error":"needs_quickstart","url":"/quickstart"}', "503 X"), Conflict, "agent.no_provider"),
        (answer(b'{"error":"LLM request failed"}', "500 X"), Unavailable, "agent.model_failed"),
        (answer(b'{"error":"slow down","retry_after":60}', "429 X"), Unavailable, "agent.busy"),
        (answer(b"", "408 X"), Unavailable, "agent.busy"),
        (answer(b'{"error":"Unauthorized"}', "401 X"), Unavailable, "agent.rejected_token"),
        (answer(b'{"status":"duplicate"}'), Unavailable, "agent.bad_answer"),
        (answer(b'{"response":5}'), Unavailable, "agent.bad_answer"),
        (answer(b'{"response":"' + b"x" * LONGEST_BODY + b'"}'), Unavailable, "agent.bad_answer"),
    ],
)
async def test_what_a_message_may_end_in(gateway: Gateway, said: bytes, kind: type[PlatformError], code: str) -> None:
    async with RoutedAgent({"POST /webhook": said}).running() as port:
        with pytest.raises(kind) as caught:
            await gateway.say(at(port), BEARER, "hello")
    assert caught.value.code == code
    assert BEARER not in str(vars(caught.value))
