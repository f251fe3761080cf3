"""Parse a tenant's `config.toml` after the agent used it.

The file is hostile: the agent may have rewritten it, or the tenant, who owns it. `parse` either returns a document whose size, depth and
numbers are bounded, or raises Unreadable. It never raises anything else and never takes long.
"""

import math
import re
import tomllib
from collections.abc import Callable
from datetime import date, time
from typing import Any

from zcplatform.agent.fields import is_text
from zcplatform.agent.sealed import PREFIX, token_hash

LONGEST_FILE = 262_144
"""In characters. The platform never writes a longer file."""
MOST_TOKENS = 256
DEEPEST = 32
MOST_VALUES = 20_000
"""Keys and list elements in the whole document, including lists and tables themselves."""
_LARGEST_WHOLE = 2**63
_MOST_DOTS = 1_000_000
_HASH = re.compile(r"[0-9a-f]{64}")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')


class Unreadable(ValueError):
    """The configuration file cannot be read back. The message gives the reason."""


def parse(text: str) -> dict[str, Any]:
    """Return the document: tables, lists, text, 64-bit integers, finite numbers, booleans, dates. Raises Unreadable and nothing else."""
    if len(text) > LONGEST_FILE:
        raise Unreadable(f"the file is longer than {LONGEST_FILE} characters")
    if sum(_dots(line) ** 2 for line in text.split("\n")) > _MOST_DOTS:
        raise Unreadable("the file contains keys with too many parts")
    try:
        document = tomllib.loads(text)
    except (ValueError, ArithmeticError, RecursionError, MemoryError) as error:
        raise Unreadable(f"the file is not TOML: {str(error)[:200]}") from None
    _check_bounds(document)
    return document


def paired_token_hashes(document: dict[str, Any], unseal: Callable[[str], str]) -> tuple[str, ...]:
    """Return the hashes of the paired tokens in a parsed document, sorted. Raises Unreadable and nothing else."""
    gateway = document.get("gateway", {})
    tokens = gateway.get("paired_tokens", []) if isinstance(gateway, dict) else None
    if not isinstance(tokens, list) or len(tokens) > MOST_TOKENS:
        raise Unreadable("gateway.paired_tokens is not a list of tokens")
    return tuple(sorted({_hash(token, unseal) for token in tokens}))


def _dots(line: str) -> int:
    """Whether a dotted key has too many parts. The parser's time grows with their square: a key of 250 kB would block the worker for minutes.

    Dots inside quotes do not count. Near the end of a multi-line text it is unknown which quotes match, so all dots count there.
    """
    if '"""' in line or "'''" in line:
        return line.count(".")
    return _QUOTED.sub("", line).count(".")


def _check_bounds(document: dict[str, Any]) -> None:
    """Check that the document is small and shallow enough to be compared, and that it is valid JSON when it is stored."""
    waiting: list[tuple[object, int]] = [(document, 0)]
    values = 0
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if values > MOST_VALUES:
            raise Unreadable(f"the file contains more than {MOST_VALUES} values")
        match value:
            case dict() | list() if depth >= DEEPEST:
                raise Unreadable(f"the file is nested deeper than {DEEPEST} levels")
            case dict():
                waiting += [(inner, depth + 1) for inner in value.values()]
            case list():
                waiting += [(inner, depth + 1) for inner in value]
            case _:
                _check_value(value)


def _check_value(value: object) -> None:
    match value:
        case bool() | date() | time():  # datetime is a subclass of date
            return
        case int() if -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
            return
        case float() if math.isfinite(value):
            return
        case str() if is_text(value):
            return
        case _:
            raise Unreadable("the file contains a number or text that no agent writes")


def _hash(token: object, unseal: Callable[[str], str]) -> str:
    """Read an element as the agent does: sealed or in clear text, a hash or the token itself."""
    if not isinstance(token, str):
        raise Unreadable("gateway.paired_tokens contains something other than text")
    try:
        plain = unseal(token) if token.startswith(PREFIX) else token
    except ValueError as error:
        raise Unreadable(f"a value of gateway.paired_tokens cannot be opened: {error}") from None
    return plain if _HASH.fullmatch(plain) else token_hash(plain)
