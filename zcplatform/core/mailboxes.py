"""Canonical mail addresses: one spelling per mailbox, without characters that a mail header or a log could interpret."""

import re

LONGEST = 254
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[a-z0-9_+'=~&#/^-]+"
_ADDRESS = re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def canonical(text: str) -> str | None:
    """Return the address in lower case, or None if it is not accepted.

    ASCII only, no quoted local part, no `%` or `!` of old mail routing: look-alikes and addresses that smuggle in a second recipient are
    rejected. Write an internationalised domain in its `xn--` form.
    """
    lowered = text.lower()
    return lowered if text.isascii() and len(text) <= LONGEST and _ADDRESS.fullmatch(lowered) else None
