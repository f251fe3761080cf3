"""The configuration file: what is written is exactly what was meant, and what comes back may be anything."""

import time
import tomllib
from typing import Any

import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zcplatform.agent.providers import FAMILIES, Key, Uri
from zcplatform.agent.render import (
    LONGEST_FILE,
    MOST_TOKENS,
    AgentConfig,
    NotReadable,
    Provider,
    document,
    is_alias,
    read_back,
    render,
)
from zcplatform.agent.sealed import seal, token_hash, unseal
from zcplatform.errors import BadInput

KEY = bytes(range(32))
HASH = token_hash("zc_" + "ab" * 32)
PROVIDER = Provider("custom", "echo", uri="http://10.0.0.5:9100/v1", api_key="sk-canary")
NASTY = [
    '"""',
    "'''",
    '"\n[gateway]\nrequire_pairing = false\n',
    "\x00\x01\x1f\x7f",
    "\\u0022",
    "\r\n",
    "é\u2028\ufeff😀",
    "a" * 100_000,
    "${HOME}",
    "enc2:",
]


def sealed(text: str) -> str:
    return f"sealed({text})"


def opened(value: str) -> str:
    return unseal(KEY, value)


def keys(table: Any, path: str = "") -> set[str]:
    if not isinstance(table, dict):
        return {path}
    return {found for name, value in table.items() for found in keys(value, f"{path}.{name}" if path else name)}


def test_the_whole_file() -> None:
    assert render(AgentConfig(PROVIDER, (HASH,)), sealed) == (
        f"""schema_version = 3

[tools]
optional = [
    "*",
]

[providers.models.custom.main]
model = "echo"
uri = "http://10.0.0.5:9100/v1"
api_key = "sealed(sk-canary)"

[agents.main]
model_provider = "custom.main"
risk_profile = "tenant"
runtime_profile = "tenant"

[risk_profiles.tenant]
level = "supervised"

[runtime_profiles.tenant]
max_actions_per_hour = 200

[gateway]
host = "0.0.0.0"
port = 42617
allow_public_bind = true
require_pairing = true
paired_tokens = [
    "sealed({HASH})",
]
trust_forwarded_headers = true
request_timeout_secs = 300
check_updates = false
allow_self_upgrade = false

[observability]
backend = "prometheus"
"""
    )


def test_without_a_provider_there_is_no_agent_with_a_dangling_name() -> None:
    names = keys(document(AgentConfig(), sealed))
    assert not [name for name in names if name.startswith(("agents", "providers"))]
    assert "gateway.require_pairing" in names


TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(NASTY), st.text("\"'\\\n\r[]=#. \x00", min_size=1)
)
FIXED = keys(document(AgentConfig(), sealed))


@given(model=TEXT, key=TEXT, path=TEXT, alias=st.from_regex(r"\A[a-z0-9]{1,20}\Z"))
@example(model='x"\n[gateway]\nrequire_pairing = false', key="'''", path="x", alias="main")
@settings(max_examples=300)
def test_no_value_becomes_a_key(model: str, key: str, path: str, alias: str) -> None:
    try:
        config = AgentConfig(Provider("custom", model, uri=f"https://host/{path}", api_key=key, alias=alias), (HASH,))
        text = render(config, sealed)
    except BadInput:
        return
    entry = f"providers.models.custom.{alias}"
    parsed = tomllib.loads(text)
    assert parsed == document(config, sealed)
    assert keys(parsed) == FIXED | {f"{entry}.model", f"{entry}.uri", f"{entry}.api_key"} | {
        f"agents.main.{name}" for name in ("model_provider", "risk_profile", "runtime_profile")
    }
    assert parsed["gateway"]["require_pairing"] is True
    assert parsed["providers"]["models"]["custom"][alias] == {"model": model, "uri": f"https://host/{path}", "api_key": sealed(key)}


@pytest.mark.parametrize("nasty", NASTY)
def test_nasty_models_and_keys_come_back_as_they_were(nasty: str) -> None:
    text = render(AgentConfig(Provider("custom", "m" + nasty, uri="http://h/v1", api_key="k" + nasty)), sealed)
    assert tomllib.loads(text)["providers"]["models"]["custom"]["main"] == {
        "model": "m" + nasty,
        "uri": "http://h/v1",
        "api_key": sealed("k" + nasty),
    }


def test_no_secret_is_in_the_file_in_clear() -> None:
    text = render(AgentConfig(PROVIDER, (HASH,)), lambda value: seal(KEY, value))
    assert "sk-canary" not in text
    assert HASH not in text
    entry = tomllib.loads(text)["providers"]["models"]["custom"]["main"]
    assert opened(entry["api_key"]) == "sk-canary"
    assert "sk-canary" not in repr(AgentConfig(PROVIDER))


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
        render(AgentConfig(provider), sealed)
    assert list(caught.value.fields) == [field]


def test_every_family_can_be_rendered() -> None:
    for name, known in FAMILIES.items():
        uri = "https://host/v1" if known.uri is Uri.NEEDED else None
        provider = Provider(name, "m", uri=uri, api_key=None if known.key is Key.NONE else "k")
        assert tomllib.loads(render(AgentConfig(provider), sealed))["agents"]["main"]["model_provider"] == f"{name}.main"


@pytest.mark.parametrize("token", ["", "x", HASH.upper(), HASH + "0", HASH + "\n"])
def test_only_hashes_are_rendered_as_tokens(token: str) -> None:
    with pytest.raises(BadInput):
        render(AgentConfig(PROVIDER, (token,)), sealed)


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


def test_tokens_come_back_sorted_whatever_their_form() -> None:
    other = token_hash("zc_raw")
    lines = tomli_w.dumps({"gateway": {"paired_tokens": [seal(KEY, HASH), other, "zc_raw", seal(KEY, "zc_raw")]}})
    assert read_back(lines, opened) == tuple(sorted({HASH, other}))


def test_what_we_wrote_reads_back() -> None:
    hashes = tuple(sorted(token_hash(str(number)) for number in range(20)))
    assert read_back(render(AgentConfig(PROVIDER, hashes), lambda value: seal(KEY, value)), opened) == hashes


@pytest.mark.parametrize("text", ["", "schema_version = 3", "[gateway]", "[gateway]\npaired_tokens = []"])
def test_no_tokens_are_none(text: str) -> None:
    assert read_back(text, opened) == ()


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
    with pytest.raises(NotReadable) as caught:
        read_back(text, opened)
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
    began = time.monotonic()
    with pytest.raises(NotReadable):
        read_back(line, opened)
    assert time.monotonic() - began < 1


@given(st.text())
def test_reading_back_raises_nothing_else(text: str) -> None:
    for candidate in (text, f"[gateway]\npaired_tokens = {text}"):
        try:
            assert isinstance(read_back(candidate, opened), tuple)
        except NotReadable:
            continue
