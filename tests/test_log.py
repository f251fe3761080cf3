"""Log lines: one JSON object each, bounded, without control characters, without secrets that somebody passed by mistake."""

import ast
import json
import logging
from pathlib import Path

import pytest

from zcplatform import log
from zcplatform.errors import Unavailable

SECRET = "zcp_" + "S3cr3t" * 6
NASTY = 'a\r\nb\x1b[2Jc\u2028d\u202ee\0f\x85"}\n{"level": "error"}'


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    log.configure("tests", "DEBUG")

    def read() -> list[dict[str, object]]:
        written = capsys.readouterr().err
        assert written.isascii()
        assert all(character.isprintable() or character == "\n" for character in written)
        return [json.loads(line) for line in written.split("\n") if line]

    yield read
    logging.basicConfig(handlers=[], force=True)


def test_control_characters_do_not_make_lines(lines) -> None:  # type: ignore[no-untyped-def]
    log.logger.warning("an event", path=NASTY, agent=NASTY.encode())
    (line,) = lines()
    assert line["path"] == NASTY


def test_a_field_is_cut(lines) -> None:  # type: ignore[no-untyped-def]
    log.logger.info("an event", **dict.fromkeys(("a", "b"), "x" * 1000000))
    (line,) = lines()
    assert len(str(line["a"])) <= 2_001


@pytest.mark.parametrize(
    "text",
    [
        SECRET, f"Authorization: Bearer {SECRET}", "Bearer abcdefghijkl", "sk-ant-REDACTED", "enc2:0a0b0c0d0e0f", "xoxb-1234567890-abc",
        "ghp_abcdefghijklmnop", "eyJhbGciOi.eyJzdWIiOiI.c2lnbmF0dXJl", "12345678:AAabcdefghijklmnopqrstuvwxyz0123456", "https://ann:pass@example.com/",
        "x" * 1_990 + SECRET,
    ],
)  # fmt: skip
def test_well_known_forms_are_redacted(lines, text: str) -> None:  # type: ignore[no-untyped-def]
    log.logger.error("an event", said=f"before {text} after")
    (line,) = lines()
    for part in ("S3cr3t", "abcdefghijkl", "0b0c0d", "1234567890-", "eyJzdWIi", "pass@"):
        assert part not in str(line["said"])


@pytest.mark.parametrize("name", ["password", "api_key", "authorization", "cookie", "bot_token", "pairing_code", "key"])
def test_fields_named_like_a_secret_are_redacted(lines, name: str) -> None:  # type: ignore[no-untyped-def]
    log.logger.info("an event", **{name: "hunter2"})
    assert lines()[0][name] == log.REDACTED


def test_the_text_of_an_error_shows_no_input(lines) -> None:  # type: ignore[no-untyped-def]
    try:
        try:
            raise ValueError("input was hunter2")
        except ValueError as error:
            raise Unavailable("engine.unreachable", "The engine is not there") from error
    except Unavailable:
        log.logger.exception("an event")
    (line,) = lines()
    assert "hunter2" not in json.dumps(line)
    assert line["exception"] == "zcplatform.errors.Unavailable: The engine is not there | from builtins.ValueError"
    assert "test_log.py" in str(line["places"])


def test_an_exception_as_a_field_shows_its_type_only(lines) -> None:  # type: ignore[no-untyped-def]
    """As `exc_info=error` once did: the raw text of an unforeseen error is a tenant's value as likely as not."""
    for name in ("exc_info", "error", "reason"):
        log.logger.error("an event", **{name: ValueError("input was hunter2")})
    log.logger.exception("an event", KeyError("hunter2"), tenant="ten_1")
    found = lines()
    assert "hunter2" not in json.dumps(found)
    assert [line.get("exc_info") for line in found[:1]] == ["builtins.ValueError"]
    assert (found[3]["exception"], found[3]["tenant"]) == ("builtins.KeyError", "ten_1")


def test_a_known_error_as_a_field_keeps_its_words(lines) -> None:  # type: ignore[no-untyped-def]
    log.logger.error("an event", error=Unavailable("engine.unreachable", f"no engine at {SECRET}"))
    (line,) = lines()
    assert line["error"] == "zcplatform.errors.Unavailable: no engine at [redacted]"


def test_no_logger_is_given_the_text_of_an_exception() -> None:
    """`str(error)` and `{error}` go around the rules of `zcplatform.log`: pass the exception itself."""
    wrong = []
    for path in sorted((Path(__file__).parents[1] / "zcplatform").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                wrong += [
                    f"{path.name}:{node.lineno}"
                    for word in node.keywords
                    if ast.unparse(word.value) in ("str(error)", "f'{error}'", "repr(error)")
                ]
    assert wrong == []


def test_libraries_say_it_in_one_line_too(lines) -> None:  # type: ignore[no-untyped-def]
    try:
        raise KeyError("hunter2")
    except KeyError:
        logging.getLogger("somebody").exception("it failed\nfuture: <hunter2>")
    (line,) = lines()
    assert (line["library"], line["message"]) == ("somebody", "it failed")
    assert "hunter2" not in json.dumps(line)
