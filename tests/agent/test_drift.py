"""What the agent's file differs in from the one that was rendered; the file is hostile."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from zcplatform.agent.drift import MOST_CHANGES, SECRET, drift

RENDERED: dict[str, Any] = {
    "schema_version": 3,
    "providers": {"models": {"custom": {"main": {"model": "echo", "api_key": "enc2:", "uri": "https://a"}}}},
    "channels": {"telegram": {"main": {"enabled": True, "bot_token": "enc2:"}}},
    "peer_groups": {"telegram_main": {"channel": "telegram.main", "external_peers": ["1"]}},
    "gateway": {"paired_tokens": [], "check_updates": False},
}


def _found(**changed: Any) -> dict[str, Any]:
    return {**RENDERED, **changed}


def test_the_file_as_it_was_written_is_no_drift() -> None:
    sealed = {"custom": {"main": {"model": "echo", "api_key": "enc2:abcdef", "uri": "https://a"}}}
    own = _found(
        providers={"models": sealed}, tools={"optional": ["*"]}, gateway={"paired_tokens": ["enc2:aa"]}, peer_groups={"x": {"channel": "y"}}
    )
    assert drift(RENDERED, own) == {}, "sealed values, paired tokens, peers, and a default that was left out"


def test_edits_are_told_by_path() -> None:
    edited = {"custom": {"main": {"model": "other", "api_key": "enc2:1", "uri": "https://a", "temperature": 0.3}}}
    assert drift(RENDERED, _found(providers={"models": edited}, channels={})) == {
        "channels.telegram.main.bot_token": [SECRET, None],
        "channels.telegram.main.enabled": [True, None],
        "providers.models.custom.main.model": ["echo", "other"],
        "providers.models.custom.main.temperature": [None, 0.3],
    }


def test_a_secret_is_never_shown() -> None:
    edited = {"custom": {"main": {"model": "echo", "api_key": "sk-canary", "uri": "https://a", "headers": {"x-api-key": "sk-canary"}}}}
    servers = {"servers": [{"name": "a", "headers": {"Authorization": "enc2:00", "token": "sk-canary"}}]}
    told = drift(RENDERED, _found(providers={"models": edited}, mcp=servers))
    assert "canary" not in str(told)
    assert told["mcp.servers"] == [None, [{"name": "a", "headers": {"Authorization": SECRET, "token": SECRET}}]]
    assert told["providers.models.custom.main.api_key"] == [SECRET, SECRET]


toml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["providers", "peer_groups", "gateway", "x"]), toml))
def test_whatever_the_file_holds_it_is_bounded(found: dict[str, Any]) -> None:
    assert len(drift(RENDERED, found)) <= MOST_CHANGES
