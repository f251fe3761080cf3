"""The agent's answers to the two checking commands, as 0.8.7 gives them."""

import pytest

from zcplatform.agent.configuration_check import commands, rejection


@pytest.mark.parametrize(
    ("code", "printed", "expected"),
    [
        (0, '{"error": null, "migrated": false, "schema_version": 3, "valid": true}', None),
        (0, '{"results": [], "saved": true}', None),
        (
            1,
            '{"error": "unknown variant `x` in `agents.main`", "migrated": false, "schema_version": 3, "valid": false}',
            "unknown variant `x`",
        ),
        (
            1,
            'WARN something {odd}\n{\n  "code": "dangling_reference",\n  "message": "not configured",\n  "path": "a.b"\n}',
            "not configured",
        ),
        (0, '{"migrated": true, "schema_version": 3}', "another version"),
        (
            0,
            'config section `channels.telegram` is malformed and was reset\n{"results": [], "saved": true}',
            "`channels.telegram` is malformed",
        ),
        (1, "\x1b[31mError\x1b[0m: cannot decrypt providers.models.api_key\n", "Error: cannot decrypt"),
        (137, "", "ended with code 137"),
        (None, "it gave no answer within 60 s", "no answer"),
        (0, "{" * 5000, None),
    ],
)
def test_an_answer_is_understood(code: int | None, printed: str, expected: str | None) -> None:
    words = rejection(code, printed)
    assert (words is None) if expected is None else (words is not None and expected in words), words


def test_both_the_parser_and_the_validation_are_asked() -> None:
    assert commands("/c") == (("config", "migrate", "--json"), ("config", "patch", "--json", "/c/nothing.json"))
