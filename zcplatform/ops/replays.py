"""Serialize the rows that a change returned, so that a retry with the same Idempotency-Key returns them again.

Only types of `ops.views` are kept. None of them holds a secret or a hash.
"""

import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from zcplatform.ops import views


def to_text(value: Any) -> str:
    """Raises TypeError for a type that is not kept."""
    if value is None:
        return "null"
    name = type(value).__name__
    if views.KEPT.get(name) is not type(value):
        raise TypeError(f"{name} is not in ops.views.KEPT")
    return json.dumps([name, _adapter(name).dump_python(value, mode="json")], ensure_ascii=False)


def from_text(text: str) -> Any:
    """Raises ValueError for a type or field that this version of the program does not know."""
    kept = json.loads(text)
    if kept is None:
        return None
    name, value = kept
    if name not in views.KEPT:
        raise ValueError(f"{name} is not known")
    return _adapter(name).validate_python(value)


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(views.KEPT[name])
