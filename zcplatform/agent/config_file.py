"""A tenant's `config.toml` read back. The agent may have rewritten it, or a tenant who owns it: it is hostile."""

import re
import tomllib
from collections.abc import Callable
from typing import Any

from zcplatform.agent.provider_input import is_text
from zcplatform.agent.sealed import PREFIX, token_hash

LONGEST_FILE = 262_144
MOST_TOKENS = 256
_MOST_DOTS = 1_000_000
_HASH = re.compile(r"[0-9a-f]{64}")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')


class Unreadable(ValueError):
    """The configuration file can not be read back; the message says why."""


def paired_token_hashes(text: str, unseal: Callable[[str], str]) -> tuple[str, ...]:
    """The hashes of the paired tokens, sorted. Raises Unreadable and nothing else."""
    gateway = parse(text).get("gateway", {})
    tokens = gateway.get("paired_tokens", []) if isinstance(gateway, dict) else None
    if not isinstance(tokens, list) or len(tokens) > MOST_TOKENS:
        raise Unreadable("gateway.paired_tokens is not a list of tokens")
    return tuple(sorted({_hash(token, unseal) for token in tokens}))


def parse(text: str) -> dict[str, Any]:
    """A file of the tenant's. Raises Unreadable and nothing else, and does not take long."""
    if len(text) > LONGEST_FILE:
        raise Unreadable(f"the file is longer than {LONGEST_FILE} characters")
    if sum(_dots(line) ** 2 for line in text.split("\n")) > _MOST_DOTS:
        raise Unreadable("the file holds keys of too many parts")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the file is not TOML: {str(error)[:200]}") from None


def _dots(line: str) -> int:
    """The parser's time grows with the square of the parts of a dotted key: one of 250 kB would hold the worker for minutes.

    Dots in quotes are no parts; next to the end of a multi-line text it can not be told which quotes belong together, so all count.
    """
    if '"""' in line or "'''" in line:
        return line.count(".")
    return _QUOTED.sub("", line).count(".")


def _hash(token: object, unseal: Callable[[str], str]) -> str:
    """As the agent takes an element: sealed or not, a hash or the token itself."""
    if not isinstance(token, str) or not is_text(token):
        raise Unreadable("gateway.paired_tokens holds something else than text")
    try:
        plain = unseal(token) if token.startswith(PREFIX) else token
    except ValueError as error:
        raise Unreadable(f"a value of gateway.paired_tokens can not be opened: {error}") from None
    return plain if _HASH.fullmatch(plain) else token_hash(plain)
