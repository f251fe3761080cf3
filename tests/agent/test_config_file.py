"""A file that comes back may be anything."""

import time

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tests.rendered import rendered
from zcplatform.agent.config_file import LONGEST_FILE, MOST_TOKENS, Unreadable, paired_token_hashes
from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.agent.sealed import seal, token_hash, unseal

KEY = bytes(range(32))
HASH = token_hash("zc_" + "ab" * 32)
PROVIDER = ProviderWithKey("custom", "echo", uri="http://10.0.0.5:9100/v1", api_key="sk-canary")


def opened(value: str) -> str:
    return unseal(KEY, value)


def test_tokens_come_back_sorted_whatever_their_form() -> None:
    other = token_hash("zc_raw")
    lines = tomli_w.dumps({"gateway": {"paired_tokens": [seal(KEY, HASH), other, "zc_raw", seal(KEY, "zc_raw")]}})
    assert paired_token_hashes(lines, opened) == tuple(sorted({HASH, other}))


def test_what_we_wrote_reads_back() -> None:
    hashes = tuple(sorted(token_hash(str(number)) for number in range(20)))
    assert paired_token_hashes(rendered(PROVIDER, hashes, lambda value: seal(KEY, value)), opened) == hashes


@pytest.mark.parametrize("text", ["", "schema_version = 3", "[gateway]", "[gateway]\npaired_tokens = []"])
def test_no_tokens_are_none(text: str) -> None:
    assert paired_token_hashes(text, opened) == ()


@pytest.mark.parametrize(
    "text",
    [
        "[gateway",
        "gateway = 1",
        "[[gateway]]",
        "[gateway]\npaired_tokens = 1",
        "[gateway]\npaired_tokens = [1]",
        "[gateway]\npaired_tokens = [['a']]",
        f"[gateway]\npaired_tokens = ['{'enc2:' + '00' * 40}']",
        "[gateway]\npaired_tokens = ['enc2:']",
        "[gateway]\npaired_tokens = [" + f"'{HASH}'," * (MOST_TOKENS + 1) + "]",
        "a = " + "[" * 100_000,
        "a = " + "9" * 10_000,
        "a = '" + "x" * LONGEST_FILE + "'",
        "a = '\ud800'\n[gateway]\npaired_tokens = ['\ud800']",
        "\x00",
    ],
)
def test_a_file_of_another_form_is_not_readable(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        paired_token_hashes(text, opened)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "line",
    [
        ".".join("a" * 100_000) + " = 1",
        "[" + ".".join("a" * 100_000) + "]",
        ".".join(['"\u2028"'] * 50_000) + " = 1",
        "x = {k = '''\n''', " + ".".join("a" * 100_000) + " = 'x'}",
        'x = {k = """\n""", ' + ".".join("a" * 100_000) + ' = "x"}',
    ],
    ids=["key", "table", "quoted", "after a text", "after a basic text"],
)
def test_a_key_of_many_parts_does_not_hold_the_worker(line: str) -> None:
    began = time.process_time()
    with pytest.raises(Unreadable):
        paired_token_hashes(line, opened)
    assert time.process_time() - began < 1


@given(st.text())
def test_reading_back_raises_nothing_else(text: str) -> None:
    for candidate in (text, f"[gateway]\npaired_tokens = {text}"):
        try:
            assert isinstance(paired_token_hashes(candidate, opened), tuple)
        except Unreadable:
            continue
