"""What differs between two documents (settings of two revisions, a file as written and as found), path by path."""

from collections.abc import Iterator, Mapping
from typing import Any

Difference = dict[str, tuple[Any, Any]]
"""Path (`channels.telegram.main.enabled`) → (before, after); None where it is not there. Lists are compared whole."""


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    old, new = dict(flat(before)), dict(flat(after))
    return {path: (old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)}


def flat(document: Mapping[str, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything that is no mapping. A name that holds a dot is quoted."""
    for name, value in document.items():
        path = f"{inside}.{_quoted(name)}" if inside else _quoted(name)
        if isinstance(value, Mapping):
            yield from flat(value, path)
        else:
            yield path, value


def _quoted(name: str) -> str:
    return f'"{name}"' if "." in name else name


def merged(document: Any, change: Any) -> Any:
    """The document with a JSON merge patch (RFC 7396): null takes a name away, everything that is no mapping takes the old value's place."""
    if not isinstance(change, Mapping):
        return change
    result = dict(document) if isinstance(document, Mapping) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
