"""The demo agent's parts that depend on time or on damaged files; the contract tests cover what it promises over HTTP."""

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest

from tests.agent.demo_table import table
from zcplatform.agent.sealed import token_hash
from zcplatform.demo_agent.devices import Devices
from zcplatform.demo_agent.echo_model import LONGEST_ANSWER, answer, usage
from zcplatform.demo_agent.limits import LOCKOUT_S, MOST_KEYS, WINDOW_S, Attempts, Window, client_key
from zcplatform.demo_agent.metrics import Metrics
from zcplatform.demo_agent.pairing import CODE_S, Guard, LockedOut
from zcplatform.demo_agent.saving import with_tokens


@dataclass
class Clock:
    at: float = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_a_code_lives_ten_minutes() -> None:
    clock = Clock()
    guard = Guard(True, set(), clock)
    code = guard.mint()
    clock.at += CODE_S - 0.1
    assert guard.has_code
    clock.at += 0.1
    assert not guard.has_code
    assert guard.redeem(code, "a") is None
    assert guard.hashes == set()


def test_a_lock_out_ends_after_five_minutes_and_a_good_code_forgets_the_bad_ones() -> None:
    clock = Clock()
    guard = Guard(True, set(), clock)
    for _ in range(4):
        assert guard.redeem("x", "a") is None
    assert guard.redeem(guard.mint(), "a") is not None
    for _ in range(5):
        assert guard.redeem("x", "a") is None
    code = guard.mint()
    clock.at += LOCKOUT_S - 1
    with pytest.raises(LockedOut) as caught:
        guard.redeem(code, "a")
    assert caught.value.retry_after_s == 1
    clock.at += 1
    token = guard.redeem(code, "a")
    assert token is not None
    assert guard.hashes >= {token_hash(token)}


def test_a_window_slides() -> None:
    clock = Clock()
    window = Window(2, clock)
    assert [window.allows("a") for _ in range(3)] == [True, True, False]
    assert window.allows("b")
    clock.at += WINDOW_S
    assert window.allows("a")


def test_no_limit_is_zero() -> None:
    window = Window(0, Clock())
    assert all(window.allows("a") for _ in range(1000))


def test_failed_attempts_lock_out_for_five_minutes() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(10):
        assert attempts.locked_for("a") is None
        attempts.record("a")
    assert attempts.locked_for("a") == LOCKOUT_S
    clock.at += LOCKOUT_S - 1
    assert attempts.locked_for("a") == 1
    clock.at += 1
    assert attempts.locked_for("a") is None


def test_tables_of_clients_do_not_grow_for_ever() -> None:
    window, attempts, guard = Window(5, Clock()), Attempts(Clock()), Guard(True, set(), Clock())
    for number in range(MOST_KEYS + 10):
        window.allows(str(number))
        attempts.record(str(number))
        guard.redeem("x", str(number))
    assert len(window.seen) == len(attempts.failed) == MOST_KEYS


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, "peer"),
        ({"x-forwarded-for": "nonsense"}, "peer"),
        ({"x-forwarded-for": "203.0.113.1"}, "203.0.113.1"),
        ({"x-forwarded-for": "[2001:db8::1]:80"}, "2001:db8::1"),
        ({"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
        ({"x-real-ip": "203.0.113.2"}, "203.0.113.2"),
    ],
)
def test_the_client_s_address(headers: dict[str, str], key: str) -> None:
    assert client_key("peer", headers, trusts_headers=True) == key
    assert client_key("peer", headers, trusts_headers=False) == "peer"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {"id": "x"}}', "[" * 100_000])
def test_a_damaged_list_of_devices_is_an_empty_one(tmp_path: Path, content: str) -> None:
    path = tmp_path / "devices.json"
    path.write_text(content)
    devices = Devices(path)
    assert devices.list() == []
    devices.adopt(["a" * 64], "now")
    assert len(Devices(path).list()) == 1


def test_metrics_escape_what_a_tenant_calls_its_model() -> None:
    metrics = Metrics()
    metrics.started("custom.main", 'a"b\\c\nd')
    assert 'model="a\\"b\\\\c\\nd",model_provider="custom.main"} 1\n' in metrics.text()


@pytest.mark.parametrize(
    "text",
    [
        "schema_version = 3\n",
        "schema_version = 3\n[gateway]\nport = 1\n",
        "[gateway]\npaired_tokens = [\n  'a', # one\n  'b',\n]\nport = 1\n[tools]\noptional = []\n",
        "# first\n[gateway] # gateway\nport = 1\n\n[other]\nx = '[gateway]'\n",
    ],
)
def test_tokens_are_edited_into_the_text(text: str) -> None:
    edited = with_tokens(text, ["enc2:1", "enc2:2"])
    assert 'paired_tokens = ["enc2:1", "enc2:2"]' in edited
    assert "# first" in edited or "# first" not in text
    assert "paired_tokens" not in with_tokens(edited, [])


@pytest.mark.parametrize("text", ["gateway = {port = 1}\n", "[other]\npaired_tokens = ['a']\n", "[gateway", "x = '''\n[gateway]\n'''\n"])
def test_a_text_that_can_not_be_edited_safely_is_left(text: str) -> None:
    with pytest.raises(ValueError, match=r"safely|twice|Expected"):
        with_tokens(text, ["enc2:1"])


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "echo: a"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "echo: a b"),
        ([{"role": "user", "content": None}], "echo: "),
        ([5, None], "echo: "),
        ("x", "echo: "),
        (None, "echo: "),
    ],
)
def test_the_model_repeats_the_last_user_message(messages: object, said: str) -> None:
    assert answer(messages) == said
    assert usage(messages, said)["completion_tokens"] == len(said.split())


def test_the_model_s_answer_is_bounded() -> None:
    assert len(answer([{"role": "user", "content": "a" * 100_000}])) == LONGEST_ANSWER


def test_its_table_of_fields_is_the_real_agent_s_schema() -> None:
    """Otherwise: python -m tests.agent.demo_table > zcplatform/demo_agent/channel_fields.txt"""
    assert files("zcplatform.demo_agent").joinpath("channel_fields.txt").read_text("utf-8") == table()
