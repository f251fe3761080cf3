"""S-46: what may become a host name."""

import idna
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zcplatform.core.slugs import RESERVED, check, is_slug

REFUSED = [
    "*",
    "a.b",
    "ABC",
    "-abc",
    "abc-",
    "xn--abc",
    "ab--cd",
    "аcme",
    "acme\n",
    "",
    "ab",
    "a" * 33,
    "a" * 64,
    "a_b",
    "a b",
    "a/b",
    "..",
    "acme\0",
    "١٢٣",
    "ns1",
]


@pytest.mark.parametrize("text", REFUSED)
def test_it_is_refused(text: str) -> None:
    assert not is_slug(text)


@pytest.mark.parametrize("text", ["abc", "a-b", "a--b", "123", "a" * 32, "acme-co-2", "support"])
def test_it_is_accepted(text: str) -> None:
    assert is_slug(text)


@pytest.mark.parametrize("text", ["www", "api", "admin", "panel", "localhost", "mail"])
def test_a_reserved_name_is_refused_and_says_so(text: str) -> None:
    assert check(text) == "is reserved"


def test_the_list_holds_nothing_that_is_refused_anyway() -> None:
    assert {word for word in RESERVED if check(word) != "is reserved"} == set()


@settings(max_examples=2_000, deadline=None)
@given(st.text(alphabet=st.sampled_from("abz019-."), max_size=40) | st.text(max_size=40))
@example("_acme-challenge")
def test_what_is_accepted_is_a_dns_label_equal_to_its_own_idna_form(text: str) -> None:
    if is_slug(text):
        assert idna.encode(text) == text.encode()
        assert idna.decode(text) == text
        assert 3 <= len(text) <= 32
