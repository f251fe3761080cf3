"""How the live tests are cut into pieces for the lanes: everything once, nothing cut that belongs together, the longest first."""

from hypothesis import given
from hypothesis import strategies as st

from tests.live.lanes import LAST, PIECE_S, pieces

FILES = ("a.py", "b.py", "c.py")
TESTS = st.lists(st.tuples(st.sampled_from(FILES), st.integers(0, 99)), unique=True).map(lambda each: [f"{f}::test_{n}" for f, n in each])
SECONDS = st.dictionaries(st.sampled_from(FILES), st.floats(0, 1_000))


@given(TESTS, SECONDS)
def test_every_test_is_in_one_piece(tests: list[str], seconds: dict[str, float]) -> None:
    cut = pieces(tests, seconds, frozenset({"a.py"}))
    assert sorted(test for part in cut.values() for test in part) == sorted(tests)
    assert all(len({test.partition("::")[0] for test in part}) == 1 for part in cut.values())
    assert sum(part[0].startswith("a.py") for part in cut.values()) <= 1


def test_long_files_are_cut_and_the_longest_piece_is_first() -> None:
    tests = [f"{file}::test_{number}" for file in FILES for number in range(4)]
    cut = pieces(tests, {"a.py": 5, "b.py": 3.5 * PIECE_S, "c.py": 2 * PIECE_S}, frozenset({"b.py"}))
    assert list(cut.values()) == [tests[4:8], tests[8:10], tests[10:12], tests[0:4]]


def test_the_order_in_a_file_stays() -> None:
    tests = [f"a.py::test_{number}" for number in (3, 1, 2)]
    assert [test for part in pieces(tests, {"a.py": 130}, frozenset()).values() for test in part] == tests


def test_the_file_that_nothing_may_follow_is_the_last() -> None:
    tests = [f"{file}::test" for file in (LAST, *FILES)]
    assert list(pieces(tests, {LAST: 900}, frozenset()).values())[-1] == tests[:1]
