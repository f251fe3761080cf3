"""The table of channel fields that the demo agent judges by, made from the real agent's schema as it is kept here.

usage: python -m tests.agent.demo_table > zcplatform/demo_agent/channel_fields.txt
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.agent.structure import PLAIN, UNMARKED, _maps, type_of
from zcplatform.agent.fields import Type

SCHEMA = Path(__file__).parent / "schema-0.8.7.json"
_KINDS = {Type.TEXT: "text", Type.TEXTS: "texts", Type.YES_NO: "bool", Type.NUMBER: "number", Type.TABLE: "table", Type.TABLES: "tables"}


def table() -> str:
    """A line for each type: `irc nickname!:text port:u16 server_password*:text …`; `!` has to be there, `*` is a secret."""
    defs = json.loads(SCHEMA.read_text("utf-8"))["$defs"]
    told = _maps(defs, "ChannelsConfig")
    return "".join(f"{kind} {' '.join(_fields(kind, defs, defs[told[kind]]))}\n" for kind in sorted(told))


def _fields(owner: str, defs: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[str]:
    for name, row in sorted(told["properties"].items()):
        is_secret = (bool(row.get("x-secret")) or (owner, name) in UNMARKED) and (owner, name) not in PLAIN
        yield f"{name}{'!' * (name in told.get('required', ()))}{'*' * is_secret}:{_kind(defs, row)}"


def _kind(defs: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    kind, choices = type_of(defs, row)
    if kind == Type.WHOLE:
        return str(row["format"]).replace("uint", "u") if row["format"] != "uint" else "u64"
    return "|".join(choices) if kind == Type.CHOICE else _KINDS[Type(kind)]


if __name__ == "__main__":
    sys.stdout.write(table())
