"""AgentSettings: what may be said, what may not, and where secrets go."""

import json
from typing import Any

import pytest

from zcplatform.agent.agent_settings import AgentSettings, parse, to_json
from zcplatform.agent.policy import Policy
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.agent.validation import addresses, problems
from zcplatform.errors import BadInput

OPENAI = {"family": "openai", "model": "gpt-5"}
TELEGRAM = {"peers": ["123"]}


def wrong(sent: dict[str, Any], policy: Policy | None = None, stored: set[str] | None = None) -> dict[str, str]:
    try:
        return problems(parse(sent), policy or Policy(), stored)
    except BadInput as error:
        return error.fields


def test_what_was_stored_when_there_was_one_provider_is_taken() -> None:
    old = parse({"provider": {"family": "custom", "model": "m", "base_url": "http://h/v1"}})
    assert old.providers["main"].base_url == "http://h/v1"
    assert parse({"provider": None}) == AgentSettings()
    assert parse(to_json(old)) == old


def test_json_says_only_what_was_said() -> None:
    assert to_json(AgentSettings()) == {}
    assert to_json(parse({"providers": {"main": OPENAI}, "risk": {"level": "supervised"}})) == {"providers": {"main": OPENAI}}


@pytest.mark.parametrize(
    "key",
    [
        "gateway",
        "tunnel",
        "relay",
        "wss",
        "enroll",
        "plugins",
        "security",
        "secrets",
        "nodes",
        "a2a",
        "schema_version",
        "peer_groups",
        "users",
        "oidc",
    ],
)
def test_nobody_can_set_what_keeps_the_agent_closed(key: str) -> None:
    assert wrong({key: {}}) == {key: "cannot be set"}


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ({"providers": {"main": {**OPENAI, "model": "a\n"}}}, "providers.main.model"),
        ({"providers": {"main": {**OPENAI, "model": " "}}}, "providers.main.model"),
        ({"providers": {"main": {**OPENAI, "api_key": "k"}}}, "providers.main.api_key"),
        ({"providers": {"main": {**OPENAI, "options": {"api_key": "k"}}}}, "providers.main.options.api_key"),
        ({"providers": {"main": {**OPENAI, "options": {"tls_ca_cert_path": "/etc/x"}}}}, "providers.main.options.tls_ca_cert_path"),
        ({"providers": {"main": {**OPENAI, "options": {"nosuch": 1}}}}, "providers.main.options.nosuch"),
        ({"providers": {"main": {**OPENAI, "options": {"max_tokens": "1"}}}}, "providers.main.options.max_tokens"),
        ({"providers": {"main": {**OPENAI, "options": {"max_tokens": True}}}}, "providers.main.options.max_tokens"),
        ({"providers": {"main": {**OPENAI, "temperature": 2.5}}}, "providers.main.temperature"),
        ({"providers": {"main": {**OPENAI, "base_url": "ftp://h"}}}, "providers.main.base_url"),
        ({"providers": {"main": {**OPENAI, "base_url": "http://u:p@h"}}}, "providers.main.base_url"),
        ({"providers": {"main": {**OPENAI, "fallbacks": ["main"]}}}, "providers.main.fallbacks.0"),
        ({"providers": {"main": {**OPENAI, "fallbacks": ["other"]}}}, "providers.main.fallbacks.0"),
        ({"providers": {"main": {**OPENAI, "auth": "refresh_token"}}}, "providers.main.auth"),
        ({"providers": {"Main": OPENAI}}, "providers.Main"),
        ({"providers": {"a__b": OPENAI}}, "providers.a__b"),
        ({"providers": {"cheap": OPENAI}}, "providers.main"),
        ({"providers": {"main": {"family": "nosuch", "model": "m"}}}, "providers.main.family"),
        ({"providers": {"main": {"family": "custom", "model": "m"}}}, "providers.main.base_url"),
        ({"providers": {"main": {"family": "groq", "model": "m", "base_url": "http://h"}}}, "providers.main.base_url"),
        ({"providers": {"main": {"family": "azure", "model": "m"}}}, "providers.main.options.resource"),
        ({"providers": {"main": {"family": "ollama", "model": "x:cloud"}}}, "providers.main.model"),
        ({"providers": {"main": OPENAI}, "channels": {"telegram": TELEGRAM}}, "channels.telegram"),
        ({"providers": {"main": OPENAI}, "channels": {"nosuch.main": TELEGRAM}}, "channels.nosuch.main"),
        ({"providers": {"main": OPENAI}, "channels": {"voice_call.main": {}}}, "channels.voice_call.main"),
        ({"providers": {"main": OPENAI}, "channels": {"plugin.main": {}}}, "channels.plugin.main"),
        ({"providers": {"main": OPENAI}, "channels": {"telegram.main": {}}}, "channels.telegram.main.peers"),
        ({"channels": {"telegram.main": TELEGRAM}}, "providers.main"),
        (
            {"providers": {"main": OPENAI}, "channels": {"telegram.main": {**TELEGRAM, "options": {"bot_token": "1"}}}},
            "channels.telegram.main.options.bot_token",
        ),
        (
            {"providers": {"main": OPENAI}, "channels": {"telegram.main": {**TELEGRAM, "options": {"enabled": True}}}},
            "channels.telegram.main.options.enabled",
        ),
        (
            {"providers": {"main": OPENAI}, "channels": {"irc.main": {"peers": ["a"], "options": {"server": "h"}}}},
            "channels.irc.main.options.nickname",
        ),
        (
            {"providers": {"main": OPENAI}, "channels": {"line.main": {"peers": ["a"], "options": {"dm_policy": "pairing"}}}},
            "channels.line.main.options.dm_policy",
        ),
        (
            {"providers": {"main": OPENAI}, "channels": {"amqp.main": {"options": {"exchange": "e", "client_key": "/k"}}}},
            "channels.amqp.main.options.client_key",
        ),
        (
            {"providers": {"main": OPENAI}, "channels": {"filesystem.main": {"options": {"paths": ["/etc"]}}}},
            "channels.filesystem.main.options.paths",
        ),
        ({"providers": {"main": OPENAI}, "channels": {"webhook.a": {"options": {"port": 8090}}}}, "channels.webhook.a.options.port"),
        ({"providers": {"main": OPENAI}, "channels": {"webhook.a": {"ignored": ["x"]}}}, "channels.webhook.a.peers"),
        ({"providers": {"main": OPENAI}, "channels": {"mqtt.a": {"peers": ["x"]}}}, "channels.mqtt.a.peers"),
        (
            {"providers": {"main": OPENAI}, "channels": {"mqtt.a": {"options": {"broker_url": "mqtts://h", "client_id": "c"}}}},
            "channels.mqtt.a.options.use_tls",
        ),
        ({"mcp": {"a": {"url": "http://h", "command": "sh"}}}, "mcp.a.command"),
        ({"mcp": {"a": {"url": "http://h", "transport": "stdio"}}}, "mcp.a.transport"),
        ({"mcp": {"a": {"url": "file:///etc/passwd"}}}, "mcp.a.url"),
        ({"cron": {"a": {"prompt": "x", "command": "sh", "every_s": 60}}}, "cron.a.command"),
        ({"cron": {"a": {"prompt": "x", "cron": "* * *"}}, "providers": {"main": OPENAI}}, "cron.a.cron"),
        (
            {
                "cron": {"a": {"prompt": "x", "every_s": 60, "deliver": {"channel": "telegram.main", "to": "1"}}},
                "providers": {"main": OPENAI},
            },
            "cron.a.deliver.channel",
        ),
        ({"instructions": "a\x00b"}, "instructions"),
        ({"risk": {"tools": []}}, "risk.tools"),
    ],
)
def test_what_the_agent_could_not_use_is_told_by_its_path(sent: dict[str, Any], path: str) -> None:
    assert path in wrong(sent)


def test_a_plan_is_a_ceiling() -> None:
    plan = Policy(most_level="supervised", excluded_tools=("shell",), most_actions_per_hour=10, daily_usd=1.0, monthly_usd=5.0)
    sent = {
        "risk": {"level": "full", "actions_per_hour": 11, "tools": ["file_read", "shell"], "auto_approve": ["shell"]},
        "cost": {"daily_usd": 1.5, "monthly_usd": 5.0},
    }
    assert sorted(wrong(sent, plan)) == ["cost.daily_usd", "risk.actions_per_hour", "risk.auto_approve.0", "risk.level", "risk.tools.1"]
    assert wrong(sent, Policy()) == {}


def test_fallbacks_that_lead_in_a_circle_are_told() -> None:
    ring = {"main": {**OPENAI, "fallbacks": ["b"]}, "b": {**OPENAI, "fallbacks": ["main"]}}
    assert "providers.main.fallbacks" in wrong({"providers": ring})


def test_secrets_have_names_and_hosts() -> None:
    settings = parse(
        {
            "providers": {"main": {**OPENAI, "base_url": "https://proxy.example.com:8443/v1", "headers": ["X-Team"]}},
            "channels": {"telegram.main": TELEGRAM, "voice_call.x": {}},
            "mcp": {"docs": {"url": "https://docs.example.com/mcp", "headers": ["Authorization"]}},
        }
    )
    found = {slot.name: slot.binding for slot in secret_slots(settings) if not slot.name.startswith("channels.voice")}
    assert found == {
        "providers.main.api_key": "https://proxy.example.com:8443",
        "providers.main.headers.X-Team": "https://proxy.example.com:8443",
        "channels.telegram.main.bot_token": "https://api.telegram.org",
        "mcp.docs.headers.Authorization": "https://docs.example.com",
    }


def test_a_secret_that_is_needed_and_not_there_is_told() -> None:
    sent = {
        "providers": {"main": OPENAI},
        "channels": {"telegram.main": TELEGRAM, "matrix.m": {"peers": ["@a:b"], "options": {"homeserver": "https://h"}}},
    }
    assert sorted(wrong(sent, stored=set())) == ["channels.matrix.m", "channels.telegram.main.bot_token", "providers.main.api_key"]
    assert wrong(sent, stored={"providers.main.api_key", "channels.telegram.main.bot_token", "channels.matrix.m.access_token"}) == {}


def test_an_own_door_has_a_lock() -> None:
    """Gmail's push is open to everybody while its secret is empty (S-51)."""
    sent = {"providers": {"main": OPENAI}, "channels": {"gmail_push.main": {"peers": ["a@b.c"], "options": {"topic": "t"}}}}
    have = {"providers.main.api_key", "channels.gmail_push.main.oauth_token"}
    assert wrong(sent, stored=have) == {"channels.gmail_push.main.webhook_secret": "needs a value"}


def test_every_address_somebody_named_is_told() -> None:
    settings = parse(
        {
            "providers": {"main": {**OPENAI, "base_url": "http://10.0.0.1/v1"}},
            "mcp": {"a": {"url": "http://10.0.0.2"}},
            "channels": {"irc.a": {"options": {"server": "10.0.0.3"}}, "mqtt.a": {"options": {"broker_url": "mqtt://10.0.0.4"}}},
        }
    )
    assert [url for _, url in addresses(settings)] == ["http://10.0.0.1/v1", "http://10.0.0.2", "10.0.0.3", "mqtt://10.0.0.4"]


@pytest.mark.parametrize("sent", [{"a": object()}, {"instructions": "x" * 300_000}, {"providers": []}, {"providers": {"main": None}}])
def test_what_is_no_settings_is_bad_input(sent: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        parse(sent)


def test_the_settings_are_frozen() -> None:
    settings = parse({"risk": {"level": "full"}})
    with pytest.raises(ValueError, match="frozen"):
        settings.risk.level = "readonly"  # type: ignore[misc]
    assert json.loads(json.dumps(to_json(settings))) == {"risk": {"level": "full"}}
