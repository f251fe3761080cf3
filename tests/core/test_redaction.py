"""No secret survives in a text, however a program printed it."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zcplatform.core.redaction import REDACTED, Redactor

KEY = 'My key/with+odd=ch"ars&äöü?'
redact = Redactor([KEY, "abc", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nline2\n-----END KEY-----\n"])


@pytest.mark.parametrize(
    "printed",
    [
        f"Error: provider refused the key {KEY}",
        f"Error: {json.dumps(KEY)}",
        f"Error: {json.dumps(KEY, ensure_ascii=False)}",
        f"GET /?key={quote(KEY, safe='')}",
        f"GET /?key={quote_plus(KEY)}",
        KEY.encode().hex(),
        KEY.encode().hex().upper(),
        *(b64encode(b"x" * shift + KEY.encode() + b"tail").decode() for shift in range(7)),
        *(urlsafe_b64encode(b"user:" + b"x" * shift + KEY.encode()).decode() for shift in range(3)),
    ],
)
def test_a_secret_is_redacted_in_every_encoding(printed: str) -> None:
    shown = redact(printed)
    assert REDACTED in shown
    for part in (KEY[:12], KEY[-12:]):
        assert part not in shown
        assert b64encode(part.encode()).decode()[3:-4] not in shown


def test_a_secret_of_several_lines_is_redacted_line_by_line() -> None:
    assert redact("found MIIEvQIBADANBgkqhkiG in it") == f"found {REDACTED} in it"


def test_what_is_too_short_to_be_a_secret_stays() -> None:
    assert redact("abc is a word") == "abc is a word"


def test_half_a_secret_at_the_end_of_a_cut_text_is_redacted() -> None:
    assert redact(f"refused {KEY[:10]}") == f"refused {REDACTED}"
    assert redact(f"refused {KEY[:10]} and more") == f"refused {KEY[:10]} and more"


@given(st.text(min_size=6), st.text(max_size=30), st.integers(0, 200))
def test_redaction_comes_before_the_cut(secret: str, before: str, longest: int) -> None:
    assert secret not in Redactor([secret])(before + secret).replace(REDACTED, "")
    assert len(Redactor([secret]).line(before + secret, longest)) <= longest + 1


@pytest.mark.parametrize(
    "form", ["sk-ant-api03-abcdefghijk", "zc_" + "ab" * 32, "enc2:" + "0f" * 40, "xoxb-123456789012", "https://u:pass@h/x"]
)
def test_a_key_of_a_known_form_is_redacted_although_it_is_not_stored(form: str) -> None:
    assert form not in redact(f"the key before: {form}")
