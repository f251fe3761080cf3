"""A provider that is tested: what the agent could not use is refused by field."""

import pytest

from zcplatform.agent import provider_input
from zcplatform.agent.names import is_alias
from zcplatform.agent.provider_input import check
from zcplatform.errors import BadInput


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"family_name": "nosuch", "model": "m"}, "family"),
        ({"family_name": "custom", "model": " ", "base_url": "http://h"}, "model"),
        ({"family_name": "custom", "model": "\ud800", "base_url": "http://h"}, "model"),
        ({"family_name": "custom", "model": "m"}, "base_url"),
        ({"family_name": "custom", "model": "m", "base_url": "ftp://h"}, "base_url"),
        ({"family_name": "custom", "model": "m", "base_url": "http://"}, "base_url"),
        ({"family_name": "custom", "model": "m", "base_url": "http://h:99999"}, "base_url"),
        ({"family_name": "custom", "model": "m", "base_url": "http://h\n/x"}, "base_url"),
        ({"family_name": "custom", "model": "m", "base_url": "http://[::1"}, "base_url"),
        ({"family_name": "groq", "model": "m", "base_url": "http://h", "api_key": "k"}, "base_url"),
        ({"family_name": "openai", "model": "m"}, "api_key"),
        ({"family_name": "openai", "model": "m", "api_key": "\udfff"}, "api_key"),
        ({"family_name": "gemini_cli", "model": "m", "api_key": "k"}, "api_key"),
        ({"family_name": "openai", "model": "m", "api_key": "k", "alias": "Main"}, "alias"),
        ({"family_name": "openai", "model": "m", "api_key": "k", "alias": "a\n"}, "alias"),
    ],
)
def test_what_the_agent_could_not_use_is_bad_input(given: dict[str, str], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        check(provider_input.of(**given))
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
