"""The catalog of families is complete and consistent in itself."""

from urllib.parse import urlsplit

import pytest

from zcplatform.agent.providers import FAMILIES, Key, Uri, family
from zcplatform.errors import BadInput


def test_every_family_of_the_agent_is_there() -> None:
    assert len(FAMILIES) == 79


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_complete(name: str) -> None:
    known = family(name)
    assert known.name == name
    assert known.label.strip() == known.label != ""
    if known.default_uri is not None:
        assert urlsplit(known.default_uri).scheme in ("http", "https")
        assert urlsplit(known.default_uri).hostname
    if known.uri is Uri.HONOURED:
        assert known.default_uri
    if known.uri is Uri.NEEDED:
        assert known.default_uri is None


def test_labels_tell_families_apart() -> None:
    assert len({known.label for known in FAMILIES.values()}) == len(FAMILIES)


def test_the_families_that_can_not_be_redirected() -> None:
    ignored = {name for name, known in FAMILIES.items() if known.uri is Uri.IGNORED}
    programs = {"gemini_cli", "grok_cli", "kilocli"}
    assert ignored - programs == {"openrouter", "gemini", "azure", "bedrock", "telnyx", "copilot", "groq", "ovh"}
    assert {name for name, known in FAMILIES.items() if known.key is Key.NONE} == programs


def test_an_unknown_family_is_bad_input() -> None:
    with pytest.raises(BadInput) as caught:
        family("x" * 1000)
    assert caught.value.code == "provider.unknown_family"
    assert len(caught.value.detail) < 150
