"""Compare the configuration file that an agent left with the file as it was rendered.

Paired devices and admitted people are kept separately (`agent_state.py`). Every other difference is drift, which a person can
keep or discard. The file belongs to the tenant and is hostile: what is taken from it is bounded and never a secret.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from zcplatform.agent.sealed import PREFIX
from zcplatform.core.differences import difference

SECRET = "(secret)"  # noqa: S105
TOO_LONG = "(too long to show)"
MOST_CHANGES = 200
_LONGEST_TEXT = 200
_LONGEST_VALUE = 2_000
"""In characters of JSON."""
_SECRET_NAME = re.compile(r"(key|token|secret|password|passphrase|credential)s?$")
_WRITTEN_BY_AGENT = re.compile(r"gateway\.paired_tokens|schema_version|tools\.optional|peer_groups\..*")
"""Paths that are not drift: the agent writes them by itself, or they are read back in another way."""


def marked(_: str) -> str:
    """Replace sealing in a document that is rendered only for comparison."""
    return PREFIX


def drift(rendered: Mapping[str, Any], found: Mapping[str, Any], ignored: Collection[str] = ()) -> dict[str, list[Any]]:
    """Return the differences: path → [as rendered, as found]. `found` is a document of `config_file.parse`.

    A value missing from a table that still exists is not drift: the agent omits its defaults.
    """
    changes: dict[str, list[Any]] = {}
    tables = set(_tables(found))
    for path, (before, after) in difference(_plain(rendered), _plain(found)).items():
        if path in ignored or _WRITTEN_BY_AGENT.fullmatch(path) or (after is None and path.rpartition(".")[0] in tables):
            continue
        is_secret = _SECRET_NAME.search(path) is not None
        changes[path[:_LONGEST_TEXT]] = [_shown(before, is_secret), _shown(after, is_secret)]
        if len(changes) == MOST_CHANGES:
            break
    return changes


def _tables(document: Mapping[str, Any], inside: str = "") -> list[str]:
    found = [inside]
    for name, value in document.items():
        if isinstance(value, Mapping):
            found += _tables(value, f"{inside}.{name}" if inside else name)
    return found


def _plain(value: Any) -> Any:
    """Replace every sealed value by the same mark: its content cannot be compared and need not be."""
    match value:
        case Mapping():
            return {str(name): _plain(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str() if value.startswith(PREFIX):
            return PREFIX
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _shown(value: Any, is_secret: bool) -> Any:
    shown = _without_secrets(value, is_secret)
    return shown if len(json.dumps(shown)) <= _LONGEST_VALUE else TOO_LONG


def _without_secrets(value: Any, is_secret: bool) -> Any:
    match value:
        case None | bool():
            return value
        case Mapping():
            return {
                name[:_LONGEST_TEXT]: _without_secrets(inner, is_secret or _SECRET_NAME.search(name) is not None)
                for name, inner in value.items()
            }
        case list():
            return [_without_secrets(inner, is_secret) for inner in value[:MOST_CHANGES]]
        case _ if is_secret or value == PREFIX:
            return SECRET
        case str():
            return value[:_LONGEST_TEXT]
        case _:
            return value
