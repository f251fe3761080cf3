"""What a refusal of the engine becomes: a code, and one short line."""

from zcplatform.engines.docker.errors import refusal


def test_the_cause_at_the_end_of_a_long_refusal_is_found() -> None:
    assert refusal("pull", "a", 200, f"failed to extract {'x' * 400}: no space left on device").code == "engine.disk_full"


def test_the_words_of_the_engine_are_one_short_printable_line() -> None:
    error = refusal("start", "zc-acme", 500, "driver failed\n\x1b[31m" + "x" * 10_000)
    assert error.code == "container.start_failed"
    assert "\n" not in error.detail
    assert "\x1b" not in error.detail
    assert len(error.detail) < 400
