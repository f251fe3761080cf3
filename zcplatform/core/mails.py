"""What our mail says. Every text is made here from a kind and a few short values; nothing of a request's headers ever enters one.

Links lead to the panel's address from the settings, with the credential behind a `#`, which browsers send to nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from zcplatform.errors import PlatformError

LONGEST_VALUE = 300
LIMIT_S = 30.0
"""How long a mail server may take for one mail."""


class Kind(StrEnum):
    LOGIN_CODE = "login_code"
    STEP_UP_CODE = "step_up_code"
    EMAIL_CODE = "email_code"
    EMAIL_CHANGED = "email_changed"
    INVITATION = "invitation"
    TEST = "test"


@dataclass(frozen=True)
class Mail:
    """Plain text, lines of at most some hundred characters. The subject never holds a credential: phones show it to everybody."""

    subject: str
    text: str


class MailFailed(PlatformError):
    """Not sent, as far as we know. `is_final`: the server will never take this one."""

    def __init__(self, code: str, detail: str, hint: str = "", *, is_final: bool = False) -> None:
        super().__init__(code, detail, hint)
        self.is_final = is_final


def mail(kind: str, values: Mapping[str, str], panel_url: str) -> Mail:
    """Raises ValueError for an unknown kind, a missing or superfluous value, or one that is not a short line."""
    subject, text = _TEXTS[Kind(kind)]
    for value in values.values():
        if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_VALUE:
            raise ValueError("a value of a mail must be one short line")
    if set(values) != _NAMES[Kind(kind)]:
        raise ValueError(f"{kind} needs exactly the values {sorted(_NAMES[Kind(kind)])}")
    return Mail(subject.format(**values), text.format(panel=panel_url, **values) + f"\n-- \n{panel_url}\n")


_LOGIN = """{code}

is your code to sign in. Type it where you asked for it. It is good for 10 minutes, once, in that browser only.

Nobody of us will ever ask you for it. If you did not ask for it, do nothing: without this mail nobody gets further.
"""
_STEP_UP = """{code}

confirms what you are about to do. Type it where you asked for it. It is good for 10 minutes, once.

If you did not ask for it, somebody uses your login: end all your sessions and tell your operator.
"""
_EMAIL = """{code}

confirms that this address is yours. Type it where you asked for it. It is good for 10 minutes, once.

If you did not ask for it, do nothing: without this mail nobody gets further.
"""
_CHANGED = """You sign in with {new} from now on, no longer with {old}.

If that was not you, tell your operator at once.
"""
_INVITATION = """{inviter} invites you to {tenant} as {role}.

{panel}/invitation#token={token}

The link works once, for this address only. If you do not know {inviter}, do nothing.
"""
_TEST = """This is the mail that was asked for with `zcplatform admin mail test`.
"""
_TEXTS = {
    Kind.LOGIN_CODE: ("Your code to sign in", _LOGIN),
    Kind.STEP_UP_CODE: ("Your code to go on", _STEP_UP),
    Kind.EMAIL_CODE: ("Confirm this address", _EMAIL),
    Kind.EMAIL_CHANGED: ("Your address was changed", _CHANGED),
    Kind.INVITATION: ("You are invited to {tenant}", _INVITATION),
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
