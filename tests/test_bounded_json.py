"""B5: JSON that root decodes is bounded in length and depth, and every fault of it is a ValueError."""

import pytest

from zcplatform import bounded_json


def test_what_is_within_bounds_is_decoded() -> None:
    assert bounded_json.loads(b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        '{"a":' * 100_000,
        "1" * 5_000,
        '"' + "x" * bounded_json.LONGEST + '"',
        b"\xff\xfe",
        "",
    ],
)
def test_what_is_not_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        bounded_json.loads(text)
