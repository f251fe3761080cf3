"""Which edits of the agent's own file have a place in the settings, and where they go."""

from typing import Any

import pytest

from zcplatform.agent.agent_settings import parse
from zcplatform.agent.drift import SECRET
from zcplatform.agent.drift_patch import settings_patch

SETTINGS = parse(
    {
        "providers": {"main": {"family": "openai", "model": "gpt-5"}},
        "channels": {"telegram.main": {"peers": ["1"]}},
    }
)

KEPT: list[tuple[str, Any, dict[str, Any]]] = [
    ("providers.models.openai.main.model", "gpt-5-mini", {"providers": {"main": {"model": "gpt-5-mini"}}}),
    ("providers.models.openai.main.uri", "https://x.example.com", {"providers": {"main": {"base_url": "https://x.example.com"}}}),
    ("providers.models.openai.main.temperature", 0.5, {"providers": {"main": {"temperature": 0.5}}}),
    ("providers.models.openai.main.max_tokens", 900, {"providers": {"main": {"options": {"max_tokens": 900}}}}),
    ("channels.telegram.main.enabled", False, {"channels": {"telegram.main": {"enabled": False}}}),
    ("channels.telegram.main.mention_only", True, {"channels": {"telegram.main": {"options": {"mention_only": True}}}}),
    ("heartbeat.interval_minutes", 90, {"heartbeat": {"interval_minutes": 90}}),
    ("risk_profiles.tenant.level", "readonly", {"risk": {"level": "readonly"}}),
]
LEFT: list[tuple[str, Any]] = [
    ("providers.models.openai.main.api_key", SECRET),
    ("providers.models.openai.main.model", SECRET),
    ("providers.models.openai.main.extra_headers", {"X": "y"}),
    ("providers.models.openai.main.requires_openai_auth", True),
    ("providers.models.openai.main.nosuch", 1),
    ("providers.models.openai.other.model", "x"),
    ("providers.models.anthropic.main.model", "x"),
    ("channels.telegram.other.mention_only", True),
    ("channels.irc.main.server", "x"),
    ("channels.telegram.main.proxy_url", "http://x"),
    ("channels.telegram.main.bot_token", "plain"),
    ("gateway.require_pairing", False),
    ("agents.second.risk_profile", "loose"),
    ("risk_profiles.loose.level", "full"),
    ("cost.rates.providers.models.openai.gpt-5.input_per_mtok", 0.0),
    ("providers.models.openai.main.model.deeper", "x"),
    ("", 1),
]


@pytest.mark.parametrize(("path", "found", "patch"), KEPT)
def test_an_edit_with_a_place_goes_there(path: str, found: Any, patch: dict[str, Any]) -> None:
    assert settings_patch(SETTINGS, {path: [None, found]}) == (patch, {path})


@pytest.mark.parametrize(("path", "found"), LEFT)
def test_an_edit_without_one_is_left(path: str, found: Any) -> None:
    assert settings_patch(SETTINGS, {path: [None, found]}) == ({}, frozenset())


def test_several_are_one_change() -> None:
    edits = {path: ["before", found] for path, found, _ in KEPT[:3]} | {"gateway.require_pairing": [True, False]}
    patch, kept = settings_patch(SETTINGS, edits)
    assert patch == {"providers": {"main": {"model": "gpt-5-mini", "base_url": "https://x.example.com", "temperature": 0.5}}}
    assert kept == {path for path, _, _ in KEPT[:3]}
