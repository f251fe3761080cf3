"""Which agents the platform drives, and how it says no."""

import pytest

from zcplatform.agent.versions import NotAVersion, Version, is_supported, parse, problem


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("zeroclaw 0.8.7", Version(0, 8, 7)),
        ("zeroclaw 0.8.7 (unknown)\n", Version(0, 8, 7)),
        ("zeroclaw 0.8.7-demo", Version(0, 8, 7, "-demo")),
        ("v0.8.4", Version(0, 8, 4)),
        ("0.8.10+build.5", Version(0, 8, 10)),
        ("zeroclaw 1.0.0-rc.1", Version(1, 0, 0, "-rc.1")),
    ],
)
def test_what_the_program_prints_is_understood(text: str, version: Version) -> None:
    assert parse(text) == version


@pytest.mark.parametrize("text", ["", "zeroclaw", "0.8", "zeroclaw 0.8.x", "1.2.3.4", "x" * 100_000, "a0.8.7", "٠.٨.٧"])
def test_what_is_no_version_is_said_so(text: str) -> None:
    with pytest.raises(NotAVersion) as caught:
        parse(text)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("version", ["0.8.0", "0.8.4", "0.8.7", "0.8.7-demo", "0.8.99"])
def test_every_0_8_is_driven(version: str) -> None:
    assert is_supported(parse(version))
    assert problem(parse(version)) is None


@pytest.mark.parametrize(("version", "age"), [("0.7.9", "older"), ("0.9.0", "newer"), ("0.9.0-rc.1", "newer"), ("1.0.0", "newer")])
def test_others_are_refused_with_a_sentence(version: str, age: str) -> None:
    assert not is_supported(parse(version))
    assert (
        problem(parse(version)) == f"ZeroClaw {version} is {age} than this platform supports: it needs at least 0.8.0 and less than 0.9.0"
    )


def test_versions_print_as_they_came() -> None:
    assert str(parse("zeroclaw 0.8.7-demo")) == "0.8.7-demo"
