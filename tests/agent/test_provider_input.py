"""A provider that is tested: what the agent could not use is refused by field."""

import pytest

from zcplatform.agent.provider_input import ProviderWithKey, check, is_alias
from zcplatform.errors import BadInput


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        (ProviderWithKey("nosuch", "m"), "family"),
        (ProviderWithKey("custom", " ", uri="http://h"), "model"),
        (ProviderWithKey("custom", "\ud800", uri="http://h"), "model"),
        (ProviderWithKey("custom", "m"), "uri"),
        (ProviderWithKey("custom", "m", uri="ftp://h"), "uri"),
        (ProviderWithKey("custom", "m", uri="http://"), "uri"),
        (ProviderWithKey("custom", "m", uri="http://h:99999"), "uri"),
        (ProviderWithKey("custom", "m", uri="http://h\n/x"), "uri"),
        (ProviderWithKey("custom", "m", uri="http://[::1"), "uri"),
        (ProviderWithKey("groq", "m", uri="http://h", api_key="k"), "uri"),
        (ProviderWithKey("openai", "m"), "api_key"),
        (ProviderWithKey("openai", "m", api_key="\udfff"), "api_key"),
        (ProviderWithKey("gemini_cli", "m", api_key="k"), "api_key"),
        (ProviderWithKey("openai", "m", api_key="k", alias="Main"), "alias"),
        (ProviderWithKey("openai", "m", api_key="k", alias="a\n"), "alias"),
    ],
)
def test_what_the_agent_could_not_use_is_bad_input(provider: ProviderWithKey, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        check(provider)
    assert list(caught.value.fields) == [field]


@pytest.mark.parametrize(
    ("name", "is_good"),
    [
        ("main", True),
        ("a", True),
        ("a_b9", True),
        ("9", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("_a", False),
        ("a_", False),
        ("a__b", False),
        ("a-b", False),
        ("A", False),
        ("é", False),
        ("a\n", False),
    ],
)
def test_names_the_agent_takes(name: str, is_good: bool) -> None:
    assert is_alias(name) is is_good
