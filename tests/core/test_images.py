"""What the settings file allows, and what only looks like it."""

import pytest

from zcplatform.core.images import is_allowed

DIGEST = "@sha256:" + "a" * 64


@pytest.mark.parametrize("behind", ["", ":v1", DIGEST, f":v1{DIGEST}"])
@pytest.mark.parametrize("name", ["zeroclaw", "ghcr.io/zeroclaw-labs/zeroclaw", "127.0.0.1:5000/zeroclaw"])
def test_a_tag_and_a_digest_may_follow(name: str, behind: str) -> None:
    assert is_allowed(f"{name}{behind}", [name])


@pytest.mark.parametrize(
    "reference",
    ["zeroclaw:5000/evil/x", "zeroclaw/x", "zeroclaw-evil", "zeroclaw:", "zeroclaw@x", f"zeroclaw:5000/x{DIGEST}", "x/zeroclaw", ""],
)
def test_another_repository_is_another(reference: str) -> None:
    assert not is_allowed(reference, ["zeroclaw"])
