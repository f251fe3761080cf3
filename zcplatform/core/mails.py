"""The texts of our mail, made from a kind and a few short values. Nothing from a request's headers enters them.

Links lead to the panel's address from the settings, with the credential after a `#`, which browsers do not send.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from zcplatform.errors import PlatformError

LONGEST_VALUE = 300
LIMIT_S = 30.0
"""Time limit for sending one mail."""


class Kind(StrEnum):
    LOGIN_CODE = "login_code"
    STEP_UP_CODE = "step_up_code"
    EMAIL_CODE = "email_code"
    EMAIL_CHANGED = "email_changed"
    INVITATION = "invitation"
    TEST = "test"


@dataclass(frozen=True)
class Mail:
    """Plain text with lines of a few hundred characters at most. The subject never holds a credential: phones show it on their lock screen."""

    subject: str
    text: str


class MailFailed(PlatformError):
    """The mail was not sent, as far as is known. `is_final`: the server will never accept it."""

    def __init__(self, code: str, detail: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(code, detail, hint)
        self.is_final = is_final


def mail(kind: str, values: Mapping[str, str], panel_url: str) -> Mail:
    """Raises ValueError for an unknown kind, a missing or extra value, or a value that is not one short line."""
    subject, text = _TEXTS[Kind(kind)]
    for value in values.values():
        if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_VALUE:
            raise ValueError("each value of a mail must be one short line")
    if set(values) != _NAMES[Kind(kind)]:
        raise ValueError(f"{kind} needs exactly the values {sorted(_NAMES[Kind(kind)])}")
    return Mail(subject.format(**values), text.format(panel=panel_url, **values) + f"\n-- \n{panel_url}\n")


_LOGIN = """{code}

is your sign-in code. It works once, only in the browser that requested it, and expires in 10 minutes.

We will never ask you for this code. If you did not request it, ignore this message: nobody can sign in without it.
"""
_STEP_UP = """{code}

Enter this code to confirm the action. It works once and expires in 10 minutes.

If you did not request it, someone else is using your account: end all your sessions and inform your operator.
"""
_EMAIL = """{code}

Enter this code to confirm that this address is yours. It works once and expires in 10 minutes.

If you did not request it, ignore this message: the address cannot be used without it.
"""
_CHANGED = """Your sign-in address has changed from {old} to {new}.

If you did not do this, inform your operator at once.
"""
_INVITATION = """{inviter} has invited you to {tenant} as {role}.

{panel}/invitation#token={token}

The link works once, for this address only. If you do not know {inviter}, ignore this message.
"""
_TEST = """This is the test message requested with `zcplatform admin mail test`.
"""
_TEXTS = {
    Kind.LOGIN_CODE: ("Your sign-in code", _LOGIN),
    Kind.STEP_UP_CODE: ("Your confirmation code", _STEP_UP),
    Kind.EMAIL_CODE: ("Confirm this address", _EMAIL),
    Kind.EMAIL_CHANGED: ("Your address has changed", _CHANGED),
    Kind.INVITATION: ("Invitation to {tenant}", _INVITATION),
    Kind.TEST: ("zcplatform can send mail", _TEST),
}
_NAMES = {
    Kind.LOGIN_CODE: {"code"},
    Kind.STEP_UP_CODE: {"code"},
    Kind.EMAIL_CODE: {"code"},
    Kind.EMAIL_CHANGED: {"old", "new"},
    Kind.INVITATION: {"tenant", "inviter", "role", "token"},
    Kind.TEST: set[str](),
}
