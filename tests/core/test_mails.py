"""What our mail says, and what it never says."""

import pytest

from zcplatform.core.mails import Kind, mail

PANEL = "https://panel.example.com"
VALUES = {
    Kind.INVITATION: {"tenant": "Acme", "inviter": "ann@example.com", "role": "manager", "token": "t0ken"},
    Kind.EMAIL_CHANGED: {"old": "ann@example.com", "new": "ann@example.org"},
    Kind.TEST: {},
}


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_text_whose_subject_holds_no_credential(kind: Kind) -> None:
    made = mail(kind, VALUES.get(kind, {"code": "01234567"}), PANEL)
    assert "{" not in made.subject + made.text
    assert "01234567" not in made.subject
    assert "t0ken" not in made.subject
    assert PANEL in made.text
    assert made.subject.isprintable()


def test_a_code_keeps_its_zeros_and_stands_alone() -> None:
    assert mail("login_code", {"code": "00000042"}, PANEL).text.startswith("00000042\n")


def test_values_with_braces_stay_values() -> None:
    made = mail("invitation", {**VALUES[Kind.INVITATION], "tenant": "{token}{panel}"}, PANEL)
    assert "{token}{panel}" in made.subject


@pytest.mark.parametrize(
    "values",
    [{}, {"code": "1", "more": "2"}, {"code": "1\r\nBcc: eve@example.com"}, {"code": "1\u2028"}, {"code": "1" * 301}, {"code": 12345678}],
)
def test_what_is_no_short_line_is_no_mail(values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="value"):
        mail("login_code", values, PANEL)


def test_an_unknown_kind_is_no_mail() -> None:
    with pytest.raises(ValueError, match="advert"):
        mail("advert", {}, PANEL)
