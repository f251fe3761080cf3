"""What the web process may send to the worker: every message comes back as it was, everything else is refused."""

import json
from typing import Any

import pytest

from zcplatform.core import live_messages
from zcplatform.core.live_messages import MESSAGES, LiveMessage, Logs, ProviderTest, Wake, parse, to_json

TENANT = "ten_0123456789abcdefghjkmn"
EXAMPLES = [
    Wake(),
    Wake(TENANT),
    live_messages.Health(),
    live_messages.Loops(),
    Logs(TENANT, 5, "2026-01-01T00:00:00Z", follow=True, timestamps=True),
    live_messages.PairingCode(TENANT),
    live_messages.Devices(TENANT),
    live_messages.DeviceRevoke(TENANT, "d-1"),
    live_messages.DevicesReset(TENANT),
    live_messages.Message(TENANT, "hi"),
    live_messages.Channels(TENANT),
    ProviderTest(TENANT, "main", "ollama", "echo", None, None),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: message.verb)
def test_a_message_survives_the_way(message: LiveMessage) -> None:
    assert parse(json.loads(json.dumps(to_json(message)))) == message


def test_each_verb_has_an_example() -> None:
    assert {message.verb for message in EXAMPLES} == set(MESSAGES)


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"verb": "no_such_verb"},
        {"verb": None},
        {"verb": "logs"},
        {"verb": "logs", "tenant_id": 5},
        {"verb": "logs", "tenant_id": TENANT, "tail": "5"},
        {"verb": "logs", "tenant_id": TENANT, "tail": True},
        {"verb": "logs", "tenant_id": TENANT, "follow": 1},
        {"verb": "wake", "tenant_id": TENANT, "more": "x"},
        {"verb": "message", "tenant_id": TENANT, "text": None},
    ],
)
def test_anything_else_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(sent)
