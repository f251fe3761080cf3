"""What is sent to test a key, family by family, and what the answers prove. Nothing is sent here."""

import base64
import hmac
import json
from datetime import UTC, datetime

import pytest

from zcplatform.agent import provider_input
from zcplatform.agent.provider_calls import Call, ProviderTestOutcome, Reply, Result, not_testable, talk
from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.agent.providers import FAMILIES, Key, Uri

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "sk-canary"


def held(provider: ProviderWithKey, *replies: Reply) -> tuple[list[Call], ProviderTestOutcome]:
    """The calls that are made when the provider answers like this, and the result."""
    calls: list[Call] = []
    answers = iter(replies)
    conversation = talk(provider, NOW)
    try:
        call = next(conversation)
        while True:
            calls.append(call)
            call = conversation.send(next(answers))
    except StopIteration as ended:
        return calls, ended.value


def test_every_family_is_tested_or_says_why_not() -> None:
    for name, known in FAMILIES.items():
        uri = "https://llm.example.com/v1" if known.uri is not Uri.IGNORED else None
        provider = provider_input.of(name, "m", uri, KEY if known.key is not Key.NONE else None)
        calls, verdict = held(provider, *[Reply(401)] * 3)
        if known.test is None:
            assert (calls, verdict) == ([], ProviderTestOutcome(Result.NOT_TESTABLE, known.test_reason or "")), name
        else:
            assert verdict.result is Result.REFUSED, name
            assert all(KEY in repr(dict(call.headers)) or name in ("glm", "zai") for call in calls), name


def test_the_call_of_each_form() -> None:
    def first(family: str, key: str = KEY, uri: str | None = None) -> tuple[str, dict[str, str]]:
        call = held(provider_input.of(family, "m", uri, key), Reply(401))[0][0]
        return call.url, dict(call.headers)

    assert first("openai") == ("https://api.openai.com/v1/models", {"Authorization": f"Bearer {KEY}"})
    assert first("anthropic") == (
        "https://api.anthropic.com/v1/models?limit=1000",
        {"anthropic-version": "2023-06-01", "x-api-key": KEY},
    )
    login = first("anthropic", "sk-ant-oat01-x")[1]
    assert (login["Authorization"], "x-api-key" in login) == ("Bearer sk-ant-oat01-x", False)
    assert first("openrouter") == ("https://openrouter.ai/api/v1/auth/key", {"Authorization": f"Bearer {KEY}"})
    assert first("gemini") == ("https://generativelanguage.googleapis.com/v1beta/models?pageSize=1000", {"x-goog-api-key": KEY})
    assert first("ollama", uri="https://llm.example.com/v1")[0] == "https://llm.example.com/api/tags"
    assert first("custom", uri="https://llm.example.com/v2/chat/completions")[0] == "https://llm.example.com/v2/models"
    assert first("perplexity")[0] == "https://api.perplexity.ai/chat/completions"


def test_the_short_token_is_signed_with_the_secret_half() -> None:
    token = dict(held(provider_input.of("zai", "m", None, "name.secret"), Reply(401))[0][0].headers)["Authorization"].removeprefix(
        "Bearer "
    )
    head, body, mark = token.split(".")
    assert hmac.digest(b"secret", f"{head}.{body}".encode(), "sha256") == base64.urlsafe_b64decode(mark + "=")
    told = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert (told["api_key"], told["exp"] - told["timestamp"]) == ("name", 300_000)
    assert "secret" not in token


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        (provider_input.of("openai", "m"), "no key is saved"),
        (provider_input.of("ollama", "m"), "inside the agent's own container"),
        (provider_input.of("openai", "m", None, "sk\nx"), "cannot be sent"),
        (provider_input.of("custom", "m", "http://a@b/", KEY), "is not http"),
        (provider_input.of("custom", "m", "http://b/?x=1", KEY), "is not http"),
        (provider_input.of("custom", "m", None, KEY), "is not http"),
    ],
)
def test_why_it_can_not_be_tested(provider: ProviderWithKey, reason: str) -> None:
    assert reason in (not_testable(provider) or "")
    assert held(provider) == ([], ProviderTestOutcome(Result.NOT_TESTABLE, not_testable(provider) or ""))


@pytest.mark.parametrize(
    ("family", "reply", "expected"),
    [
        ("anthropic", Reply(200, {"data": [{"id": "m"}]}), (Result.WORKS, 200, True)),
        ("anthropic", Reply(200, {"data": [{"id": "x"}]}), (Result.WORKS, 200, False)),
        ("anthropic", Reply(200, None), (Result.WORKS, 200, None)),
        ("anthropic", Reply(200, ""), (Result.ODD, 200, None)),
        ("anthropic", Reply(200, []), (Result.ODD, 200, None)),
        ("gemini", Reply(200, {"models": [{"name": "models/m"}]}), (Result.WORKS, 200, True)),
        ("gemini", Reply(400, {}), (Result.REFUSED, 400, None)),
        ("openrouter", Reply(200, {"data": {"label": "x"}}), (Result.WORKS, 200, None)),
        ("openrouter", Reply(429), (Result.LIMITED, 429, None)),
        ("cohere", Reply(200, {"choices": []}), (Result.WORKS, 200, None)),
        ("cohere", Reply(200, ""), (Result.ODD, 200, None)),
        ("openai", Reply(307), (Result.ODD, 307, None)),
    ],
)
def test_what_one_answer_proves(family: str, reply: Reply, expected: tuple[Result, int, bool | None]) -> None:
    verdict = held(provider_input.of(family, "m", None, KEY), reply)[1]
    assert (verdict.result, verdict.status, verdict.model_listed) == expected


def test_a_key_is_never_in_what_is_shown() -> None:
    calls, _ = held(provider_input.of("openai", "m", None, KEY), Reply(401))
    assert KEY not in repr(calls)
