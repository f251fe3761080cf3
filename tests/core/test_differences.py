"""Paths, and the values before and after."""

from zcplatform.core.differences import difference


def test_what_was_added_changed_and_removed_is_told_by_path() -> None:
    before = {"provider": {"model": "a", "family": "x"}, "peers": ["1"], "old": {"it": 1}}
    after = {"provider": {"model": "b", "family": "x"}, "peers": ["1", "2"], "prices": {"gpt-4.1.input": 2}}
    assert difference(before, after) == {
        "old.it": (1, None),
        "peers": (["1"], ["1", "2"]),
        'prices."gpt-4.1.input"': (None, 2),
        "provider.model": ("a", "b"),
    }
    assert difference(after, after) == {}
