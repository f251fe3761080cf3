"""Ids and the names made from them."""

import re

from zcplatform import ids
from zcplatform.ids import Names


def test_ids_carry_their_kind_and_the_order_of_time() -> None:
    made = [ids.new_tenant_id() for _ in range(200)]
    assert all(ids.is_id(one) and one.startswith("ten_") for one in made)
    assert len(set(made)) == 200
    assert [one[:14] for one in made] == sorted(one[:14] for one in made)


def test_what_is_not_an_id() -> None:
    for text in (
        "",
        "ten_",
        "ten_" + "a" * 21,
        "ten_" + "a" * 23,
        "ten_" + "I" * 22,
        "zzz_" + "a" * 22,
        "ten_" + "a" * 22 + "\n",
        "../" + "a" * 22,
    ):
        assert not ids.is_id(text)


def test_a_bridge_fits_the_kernel_and_tells_two_installations_apart() -> None:
    one, other = Names("one"), Names("two")
    assert re.fullmatch(r"zcp[0-9a-f]{3}-00042", one.bridge(42))
    assert len(one.bridge(99_999)) <= 15
    assert one.bridge_prefix != other.bridge_prefix
    assert one.container("shop") == "one-shop"
