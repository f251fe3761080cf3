"""Mail addresses as the platform keeps them: one spelling for one mailbox, nothing a mail header or a log line would obey."""

import re

LONGEST = 254
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[a-z0-9_+'=~&#/^-]+"
_ADDRESS = re.compile(rf"(?=.{{1,64}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def canonical(text: str) -> str | None:
    """The address in lower case, or None when it is none of those that are taken.

    ASCII only, no quoted local part, no `%` and `!` of old routing: a variant that looks alike, or smuggles a second recipient, is not an
    address here. A domain with other letters is written in its `xn--` form.
    """
    lowered = text.lower()
    return lowered if text.isascii() and len(text) <= LONGEST and _ADDRESS.fullmatch(lowered) else None
