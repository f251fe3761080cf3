"""A secret is bound to scheme, host and port of the server it was saved for, and to what else decides where it travels."""

from typing import Any

import pytest

from zcplatform.agent.agent_settings import parse
from zcplatform.agent.bindings import origin
from zcplatform.agent.secret_slots import secret_slots


def bindings(sent: dict[str, Any]) -> dict[str, str | None]:
    return {slot.name: slot.binding for slot in secret_slots(parse(sent))}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://h/v1", "https://h"),
        ("https://H:443", "https://h"),
        ("http://h:443/v1", "http://h:443"),
        ("http://h", "http://h"),
        ("https://h:80", "https://h:80"),
        ("https://[::1]:8443/x", "https://[::1]:8443"),
        ("mqtts://broker:8883", "mqtts://broker"),
        ("h", None),
        ("http://[", None),
        ("http://h:99999", None),
        (None, None),
    ],
)
def test_an_origin_holds_the_scheme(uri: str | None, expected: str | None) -> None:
    assert origin(uri) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"base_url": "https://h/v1"}, {"base_url": "http://h:443/v1"}),
        ({"base_url": "https://h/v1"}, {"base_url": "https://h:8443/v1"}),
        ({"family": "azure", "options": {"resource": "ours"}}, {"family": "azure", "options": {"resource": "theirs"}}),
        ({"family": "zai", "options": {"endpoint": "cn"}}, {"family": "zai", "options": {"endpoint": "global"}}),
        ({"family": "bedrock", "options": {"region": "eu-central-1"}}, {"family": "bedrock", "options": {"region": "us-east-1"}}),
    ],
)
def test_a_provider_s_key_is_bound_to_where_it_is_sent(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = ({"providers": {"main": {"family": "custom", "model": "m", **entry}}} for entry in (one, other))
    assert bindings(first)["providers.main.api_key"] != bindings(second)["providers.main.api_key"]


@pytest.mark.parametrize(
    ("kind", "one", "other", "secret"),
    [
        ("email", {"imap_host": "h", "smtp_host": "h"}, {"imap_host": "h", "smtp_host": "h", "smtp_tls": False}, "password"),
        ("email", {"imap_host": "h", "smtp_host": "h"}, {"imap_host": "h", "smtp_host": "h", "imap_port": 143}, "password"),
        ("irc", {"server": "h"}, {"server": "h", "port": 6667}, "server_password"),
        ("irc", {"server": "h"}, {"server": "h", "verify_tls": False}, "server_password"),
        ("mqtt", {"broker_url": "mqtts://h:8883", "use_tls": True}, {"broker_url": "mqtt://h:8883", "use_tls": False}, "password"),
        ("matrix", {"homeserver": "https://h"}, {"homeserver": "http://h"}, "access_token"),
        ("lark", {}, {"use_feishu": True}, "app_secret"),
    ],
)
def test_a_channel_s_secret_is_bound_to_how_it_is_sent(kind: str, one: dict[str, Any], other: dict[str, Any], secret: str) -> None:
    first, second = ({"channels": {f"{kind}.a": {"options": options}}} for options in (one, other))
    assert bindings(first)[f"channels.{kind}.a.{secret}"] != bindings(second)[f"channels.{kind}.a.{secret}"]


def test_the_default_said_aloud_is_the_same_binding() -> None:
    first, second = ({"channels": {"irc.a": {"options": options}}} for options in ({"server": "h"}, {"server": "h", "port": 6697}))
    assert bindings(first) == bindings(second)


def test_a_header_of_an_mcp_server_is_bound_to_its_scheme() -> None:
    first, second = ({"mcp": {"a": {"url": url, "headers": ["X"]}}} for url in ("https://h/mcp", "http://h/mcp"))
    assert bindings(first) != bindings(second)
