"""A provider that is tested: what the agent could not use is refused by field."""

import pytest

from zcplatform.agent.trials import Provider, check, is_alias
from zcplatform.errors import BadInput


@pytest.mark.parametrize(
    ("provider", "field"),
    [
        (Provider("nosuch", "m"), "family"),
        (Provider("custom", " ", uri="http://h"), "model"),
        (Provider("custom", "\ud800", uri="http://h"), "model"),
        (Provider("custom", "m"), "uri"),
        (Provider("custom", "m", uri="ftp://h"), "uri"),
        (Provider("custom", "m", uri="http://"), "uri"),
        (Provider("custom", "m", uri="http://h:99999"), "uri"),
        (Provider("custom", "m", uri="http://h\n/x"), "uri"),
        (Provider("custom", "m", uri="http://[::1"), "uri"),
        (Provider("groq", "m", uri="http://h", api_key="k"), "uri"),
        (Provider("openai", "m"), "api_key"),
        (Provider("openai", "m", api_key="\udfff"), "api_key"),
        (Provider("gemini_cli", "m", api_key="k"), "api_key"),
        (Provider("openai", "m", api_key="k", alias="Main"), "alias"),
        (Provider("openai", "m", api_key="k", alias="a\n"), "alias"),
    ],
)
def test_what_the_agent_could_not_use_is_bad_input(provider: Provider, field: str) -> None:
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
