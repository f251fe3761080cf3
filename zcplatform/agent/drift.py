"""What the agent or its dashboard wrote into the configuration file, compared with the file as it was rendered.

People the agent let in are its own business and kept apart (`reading`); everything else that differs is
drift, for somebody to keep or discard. The file is the tenant's and hostile: what is taken from it is bounded, and never a secret.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

from zcplatform.agent.sealed import PREFIX
from zcplatform.core.differences import difference

SECRET = "(secret)"  # noqa: S105
MOST_CHANGES = 200
_LONGEST = 200
_SECRET_NAME = re.compile(r"(key|token|secret|password|passphrase|credential)s?$")
_OWN = re.compile(r"gateway\.paired_tokens|schema_version|tools\.optional|peer_groups\..*")
"""Paths that the agent writes by itself, or that are read back in another way."""


def marked(_: str) -> str:
    """In the place of sealing, when a document is made only to be compared."""
    return PREFIX


def drift(rendered: Mapping[str, Any], found: Mapping[str, Any], ignored: Collection[str] = ()) -> dict[str, list[Any]]:
    """Path → [as rendered, as found]. A value that went away from a table that is still there is no drift: the agent leaves out its defaults."""
    changes: dict[str, list[Any]] = {}
    tables = set(_tables(found))
    for path, (before, after) in difference(_plain(rendered), _plain(found)).items():
        if path in ignored or _OWN.fullmatch(path) or (after is None and path.rpartition(".")[0] in tables):
            continue
        hidden = _SECRET_NAME.search(path) is not None
        changes[path[:_LONGEST]] = [_shown(before, hidden=hidden), _shown(after, hidden=hidden)]
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
    """Every sealed value is the same mark: what is in it can not be compared and need not."""
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


def _shown(value: Any, *, hidden: bool) -> Any:
    match value:
        case None | bool():
            return value
        case Mapping():
            return {name[:_LONGEST]: _shown(inner, hidden=hidden or _SECRET_NAME.search(name) is not None) for name, inner in value.items()}
        case list():
            return [_shown(inner, hidden=hidden) for inner in value[:MOST_CHANGES]]
        case _ if hidden or value == PREFIX:
            return SECRET
        case str():
            return value[:_LONGEST]
        case _:
            return value
