"""One spelling for one mailbox, and nothing that could become a header."""

import time

import pytest

from zcplatform.core.mailboxes import canonical


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ann@example.com", "ann@example.com"),
        ("ANN@Example.COM", "ann@example.com"),
        ("o'neil.j+shop@mail.example.co.uk", "o'neil.j+shop@mail.example.co.uk"),
        ("root@localhost", "root@localhost"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
def test_one_spelling(text: str, kept: str) -> None:
    assert canonical(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "@example.com", "ann@", "ann@@example.com", "ann@example.com ", " ann@example.com", "ann@example.com\n",
        "ann@example.com\r\nBcc: eve@example.com", "ann\u2028@example.com", "ann@example.com\u0085", '"ann eve"@example.com',
        '"a\\r\\n"@example.com', "ann%0d%0aBcc:eve@example.com", "ann%eve.example@example.com", "eve!ann@example.com",
        "ann@example.com,eve@example.com", "Ann <ann@example.com>", "ann@[127.0.0.1]", "ann@-example.com", "ann@example..com", ".ann@example.com",
        "ann.@example.com", "\u212ann@example.com", "\uff41nn@example.com", "ann@ex\u0430mple.com", "a" * 65 + "@example.com", "a@" + "b" * 400,
    ],
)  # fmt: skip
def test_what_is_not_taken(text: str) -> None:
    assert canonical(text) is None


def test_long_inputs_cost_nothing() -> None:
    started = time.process_time()
    for text in ("a." * 5_000 + "@", "a@" + "a-" * 5_000, "a@" + "a." * 5_000, "'" * 10_000):
        assert canonical(text) is None
    assert time.process_time() - started < 0.05
