"""Compare two documents (settings of two revisions, a file as written and as found) path by path."""

from collections.abc import Iterator, Mapping
from typing import Any

Difference = dict[str, tuple[Any, Any]]
"""Return path (`channels.telegram.main.enabled`) → (before, after), with None for a missing value. Lists are compared as a whole."""


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    old, new = dict(flat(before)), dict(flat(after))
    return {path: (old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)}


def flat(document: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, value) of every value that is not a mapping. A name with a dot in it is quoted."""
    for name, value in document.items():
        path = f"{inside}.{_quoted(name)}" if inside else _quoted(name)
        if isinstance(value, Mapping):
            yield from flat(value, path)
        else:
            yield path, value


def _quoted(name: str) -> str:
    return f'"{name}"' if "." in name else name


def merged(document: Any, change: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396): null removes a name, and any value but a mapping replaces the old one."""
    if not isinstance(change, Mapping):
        return change
    result = dict(document) if isinstance(document, Mapping) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
