"""The real agent's parsing of a channel's fields: types, required fields, secrets. Unknown fields and types are ignored.

The table is generated from the real agent's schema (`tests/agent/demo_table.py`). The content of tables and lists of tables is not checked.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_MOST_WHOLE = {"u8": 2**8, "u16": 2**16, "u32": 2**32, "u64": 2**63}
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "text": str,
    "texts": list,
    "bool": bool,
    "number": (int, float),
    "table": dict,
    "tables": list,
}


@dataclass(frozen=True)
class Field:
    kind: str
    is_required: bool
    is_secret: bool


@functools.cache
def types() -> Mapping[str, Mapping[str, Field]]:
    text = files("zcplatform.demo_agent").joinpath("channel_fields.txt").read_text("utf-8")
    return {line.split()[0]: dict(_field(word) for word in line.split()[1:]) for line in text.splitlines()}


def _field(word: str) -> tuple[str, Field]:
    named, _, kind = word.partition(":")
    return named.rstrip("!*"), Field(kind, "!" in named, "*" in named)


def problems(channels: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The sections that cannot be read, with the problem in each: of a type, or of one channel."""
    for kind, aliases in channels.items():
        known = types().get(kind)
        if known is None:
            continue
        if not isinstance(aliases, dict):
            yield f"channels.{kind}", f"invalid type, expected a map in `channels.{kind}`"
            continue
        for alias, entry in aliases.items():
            why = _problem(known, f"channels.{kind}.{alias}", entry)
            if why is not None:
                yield f"channels.{kind}.{alias}", why


def _problem(known: Mapping[str, Field], path: str, entry: object) -> str | None:
    if not isinstance(entry, dict):
        return f"invalid type, expected a table in `{path}`"
    for name, field in known.items():
        if name not in entry and field.is_required:
            return f"missing field `{name}` in `{path}`"
        if name in entry and not _fits(field.kind, entry[name]):
            return f"invalid value, expected {field.kind} in `{path}.{name}`"
    return None


def _fits(kind: str, value: object) -> bool:
    if kind in _MOST_WHOLE:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_WHOLE[kind]
    if kind not in _TYPES:
        return value in kind.split("|")
    if not isinstance(value, _TYPES[kind]) or (kind == "number" and isinstance(value, bool)):
        return False
    return kind != "texts" or all(isinstance(one, str) for one in value)  # type: ignore[attr-defined]


def secrets(kind: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The path, as the real agent names it, and the value."""
    for name, field in types()[kind].items():
        if field.is_secret and isinstance(entry.get(name), str):
            yield f"channels.{kind}.{name}", entry[name]
