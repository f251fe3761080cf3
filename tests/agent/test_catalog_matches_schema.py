"""The catalog says what the agent's own schema says. `scripts/test-agent` asks the installed agent the same."""

import copy
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.agent.structure import differences, untested
from zcplatform.agent.provider_test_catalog import REQUESTS
from zcplatform.agent.providers import FAMILIES

SCHEMA = json.loads((Path(__file__).parent / "schema-0.8.7.json").read_text("utf-8"))


def test_no_field_is_missing_extra_or_of_another_type() -> None:
    assert differences(SCHEMA) == []


def telegram(schema: Any) -> Any:
    return schema["$defs"]["TelegramConfig"]["properties"]


def openai(schema: Any) -> Any:
    return schema["$defs"]["OpenAIModelProviderConfig"]["properties"]


CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "new field": (lambda s: telegram(s).update(voice={"type": "string"}), "channels.telegram.voice: the agent knows it"),
    "gone field": (lambda s: telegram(s).pop("stream_mode"), "channels.telegram.stream_mode: in the catalog only"),
    "other type": (
        lambda s: telegram(s).update(mention_only={"type": "string", "default": False}),
        "channels.telegram.mention_only: the agent says text",
    ),
    "other default": (
        lambda s: telegram(s)["approval_timeout_secs"].update(default=1),
        "channels.telegram.approval_timeout_secs: the agent's default",
    ),
    "other choices": (lambda s: s["$defs"]["LineGroupPolicy"]["oneOf"].pop(), "channels.line.group_policy: the agent takes"),
    "new secret": (lambda s: telegram(s)["api_base_url"].update({"x-secret": True}), "channels.telegram.api_base_url: it is a secret"),
    "lost secret": (lambda s: telegram(s)["bot_token"].pop("x-secret"), "channels.telegram.bot_token: it is no secret"),
    "demanded": (
        lambda s: s["$defs"]["TelegramConfig"].update(required=["bot_token"]),
        "channels.telegram.bot_token: the agent does demand",
    ),
    "gone type": (lambda s: s["$defs"]["ChannelsConfig"]["properties"].pop("irc"), "channel type irc: in the catalog only"),
    "gone family": (lambda s: s["$defs"]["ModelProviders"]["properties"].pop("groq"), "provider family groq: in the catalog only"),
    "provider field": (lambda s: openai(s).update(voice={"type": "string"}), "providers.models.openai.voice: the agent knows it"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_schema_that_differs_is_told_by_name(change: str) -> None:
    schema = copy.deepcopy(SCHEMA)
    mutate, wanted = CHANGES[change]
    mutate(schema)
    assert [line for line in differences(schema) if line.startswith(wanted)]


@pytest.mark.parametrize(
    "change",
    [{"test": None}, {"test_reason": "because"}, {"test": "nosuch"}, {"header": "nosuch"}],
    ids=["neither", "both", "unknown test", "unknown form of key"],
)
def test_a_family_needs_a_test_or_a_reason(change: dict[str, Any]) -> None:
    (told,) = untested({**FAMILIES, "openai": dataclasses.replace(FAMILIES["openai"], **change)})
    assert told.startswith("provider family openai: ")


def test_every_probe_is_used_and_leads_somewhere() -> None:
    used = {known.test for known in FAMILIES.values()} | {probe.otherwise for probe in REQUESTS.values()}
    assert used - {None} == set(REQUESTS)
    assert all((probe.method == "POST") == (probe.body is not None) and probe.path.startswith("/") for probe in REQUESTS.values())
