"""Keys come out of documents and chats: what cannot be part of one is named, what surrounds it is removed."""

import pytest

from zcplatform.agent.agent_settings import parse
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.agent.validation import secret_problem
from zcplatform.ops.secrets import cleaned

SLOTS = {
    slot.name: slot
    for slot in secret_slots(
        parse(
            {
                "providers": {"main": {"family": "openai", "model": "m"}},
                "channels": {"telegram.a": {}, "email.a": {"options": {"imap_host": "h", "smtp_host": "h"}}, "git.a": {}},
                "mcp": {"docs": {"url": "https://h", "headers": ["Authorization"]}},
            }
        )
    )
}


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("providers.main.api_key", "sk-\u00a0abc", "U+00A0 (no-break space) at position 4"),
        ("providers.main.api_key", "\u201csk-abc\u201d", "U+201C (left double quotation mark) at position 1"),
        ("providers.main.api_key", "\ufeffsk-abc", "U+FEFF (zero width no-break space) at position 1"),
        ("providers.main.api_key", "sk-\u0430bc", "U+0430 (cyrillic small letter a) at position 4"),
        ("providers.main.api_key", "two\nlines", "U+000A (line feed) at position 4"),
        ("mcp.docs.headers.Authorization", "Bearer \u200babc", "U+200B (zero width space) at position 8"),
        ("channels.telegram.a.bot_token", "1:a\u2019b", "U+2019 (right single quotation mark) at position 4"),
        ("channels.email.a.password", "pass\u00a0word", "U+00A0 (no-break space) at position 5"),
    ],
)
def test_a_character_that_no_key_has_is_named(name: str, value: str, named: str) -> None:
    why = secret_problem(SLOTS[name], value)
    assert why is not None
    assert named in why
    assert "abc" not in why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("providers.main.api_key", "sk-abc_123.~+/="),
        ("mcp.docs.headers.Authorization", "Bearer abc"),
        ("channels.email.a.password", "pässwörd “quoted” with spaces"),
        ("channels.git.a.private_key", "-----BEGIN KEY-----\nabc\n-----END KEY-----\n"),
    ],
)
def test_what_a_key_may_hold_is_accepted(name: str, value: str) -> None:
    assert secret_problem(SLOTS[name], value) is None


@pytest.mark.parametrize("around", ["\n", "\t", " ", "\r\n", "\u00a0"])
def test_white_space_around_a_key_is_removed(around: str) -> None:
    assert cleaned({"x": f"{around}sk-abc{around}"}) == {"x": "sk-abc"}
    assert cleaned({"x": "a\nb\n"}) == {"x": "a\nb\n"}, "the last line of a text of several lines keeps its end"
