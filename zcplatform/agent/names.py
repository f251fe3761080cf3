"""Names that the agent accepts."""

import re

LONGEST_ALIAS = 63
_ALIAS = re.compile(r"[a-z0-9](?:_?[a-z0-9])*")


def is_alias(name: str) -> bool:
    """Whether the text can name a provider, channel, agent, profile or group."""
    return len(name) <= LONGEST_ALIAS and _ALIAS.fullmatch(name) is not None
