"""A file that comes back may be anything."""

import time
from contextlib import suppress

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from tests.rendered import rendered
from zcplatform.agent import config_file, provider_input
from zcplatform.agent.config_file import LONGEST_FILE, MOST_TOKENS, Unreadable, parse
from zcplatform.agent.sealed import seal, token_hash, unseal

KEY = bytes(range(32))
HASH = token_hash("zc_" + "ab" * 32)
PROVIDER = provider_input.of("custom", "echo", base_url="http://10.0.0.5:9100/v1", api_key="sk-canary")


def opened(value: str) -> str:
    return unseal(KEY, value)


def paired_token_hashes(text: str) -> tuple[str, ...]:
    return config_file.paired_token_hashes(parse(text), opened)


def test_tokens_come_back_sorted_whatever_their_form() -> None:
    other = token_hash("zc_raw")
    lines = tomli_w.dumps({"gateway": {"paired_tokens": [seal(KEY, HASH), other, "zc_raw", seal(KEY, "zc_raw")]}})
    assert paired_token_hashes(lines) == tuple(sorted({HASH, other}))


def test_what_we_wrote_reads_back() -> None:
    hashes = tuple(sorted(token_hash(str(number)) for number in range(20)))
    assert paired_token_hashes(rendered(PROVIDER, hashes, lambda value: seal(KEY, value))) == hashes


@pytest.mark.parametrize("text", ["", "schema_version = 3", "[gateway]", "[gateway]\npaired_tokens = []"])
def test_no_tokens_are_none(text: str) -> None:
    assert paired_token_hashes(text) == ()


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
        "[extra]\nx = nan",
        "x = [1.0, -inf]",
        "x = 1e400",
        "x = 0x" + "f" * 5_000,
        "x = 0o" + "7" * 200_000,
        "x = 9223372036854775808",
        ".".join("a" * 40) + " = 1",
        "a = " + "[" * 40 + "]" * 40,
        "a = " + "{b = " * 40 + "1" + "}" * 40,
        "\n".join(f"a{number} = 1" for number in range(20_001)),
        "a = [" + "1," * 20_001 + "]",
    ],
)
def test_a_file_of_another_form_is_not_readable(text: str) -> None:
    with pytest.raises(Unreadable) as caught:
        paired_token_hashes(text)
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
        paired_token_hashes(line)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "unit",
    [
        "a{} = 1\n",
        "[a{}]\n",
        "a.b.c.d{} = 1\n",
        "[a.b.c.d.e{}]\na.b.c.d = 1\n",
        "[[a.b]]\n",
        "#\n",
        "a{} = [[1], {{b = 1}}]\n",
        '"a{}" = "\\n"\n',
    ],
)
def test_no_file_takes_long(unit: str) -> None:
    text = "".join(unit.format(number) for number in range(LONGEST_FILE // (len(unit) + 3)))[:LONGEST_FILE]
    began = time.process_time()
    with suppress(Unreadable):
        parse(text)
    assert time.process_time() - began < 2


def test_what_an_agent_may_write_is_read() -> None:
    text = "a = 9223372036854775807\nb = -1.5e300\nc = 2026-11-30T10:00:00Z\nd = 10:00:00\ne = [[1], {f = true}]\n"
    assert set(parse(text)) == set("abcde")


@given(st.text())
def test_reading_back_raises_nothing_else(text: str) -> None:
    for candidate in (text, f"[gateway]\npaired_tokens = {text}"):
        try:
            assert isinstance(paired_token_hashes(candidate), tuple)
        except Unreadable:
            continue
