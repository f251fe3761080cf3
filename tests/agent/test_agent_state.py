"""What the agent added to its file is read back, bounded, and rendered again."""

import pytest

from zcplatform.agent import config_file
from zcplatform.agent.agent_settings import parse
from zcplatform.agent.agent_state import AgentState, read
from zcplatform.agent.config_file import Unreadable
from zcplatform.agent.policy import Policy
from zcplatform.agent.rendering import render
from zcplatform.agent.sealed import seal, token_hash, unseal

KEY = bytes(range(32))
HASH = token_hash("zc_" + "ab" * 32)
TELEGRAM = parse(
    {"providers": {"main": {"family": "openai", "model": "m"}}, "channels": {"telegram.main": {"peers": ["1"]}, "webhook.a": {}}}
)


def opened(value: str) -> str:
    return unseal(KEY, value)


def test_who_the_agent_let_in_comes_back_and_is_rendered_again() -> None:
    text = render(TELEGRAM, {}, Policy(), AgentState((HASH,), {"telegram.main": ("2",)}), lambda value: seal(KEY, value))
    kept = read(config_file.parse(text), TELEGRAM, opened)
    assert kept == AgentState((HASH,), {"telegram.main": ("2",)})
    again = render(TELEGRAM, {}, Policy(), kept, lambda value: seal(KEY, value))
    assert config_file.parse(again)["peer_groups"]["telegram_main"]["external_peers"] == ["1", "2"]


@pytest.mark.parametrize("peers", ['["*"]', '["", "1", 2, "a\\u0000"]', "[]"])
def test_nobody_lets_in_everybody_by_the_file(peers: str) -> None:
    text = f'[peer_groups.telegram_main]\nchannel = "telegram.main"\nexternal_peers = {peers}\n'
    assert read(config_file.parse(text), TELEGRAM, opened) == AgentState()


@pytest.mark.parametrize(
    "text",
    [
        "peer_groups = 1",
        "[peer_groups]\ntelegram_main = 1",
        '[peer_groups.telegram_main]\nchannel = "telegram.main"\nexternal_peers = 1',
        "[",
        "gateway = 1",
    ],
)
def test_a_file_of_another_form_is_not_readable(text: str) -> None:
    with pytest.raises(Unreadable):
        read(config_file.parse(text), TELEGRAM, opened)
