"""The vocabulary that all list routes share: `q`, `sort`, `cursor` and `limit` in; `items`, `next_cursor` and `total` out."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from zcplatform import bounded_json
from zcplatform.agent.fields import is_text
from zcplatform.errors import BadInput

T = TypeVar("T")
Q = Annotated[str, Query(max_length=100, description="Only items whose name, address or id contains this text")]
Cursor = Annotated[str, Query(max_length=1_000, description="`next_cursor` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200, description="Maximum number of items per page")]
Sort = Annotated[str, Query(max_length=40, description="The field to sort by; with `-` in front in descending order")]


class ItemPage(BaseModel):
    """What every list has besides its items."""

    next_cursor: str | None = Field(default=None, description="Send it as `cursor` to get the next page. Null on the last page.")
    total: int = Field(description="How many items match, on all pages.")


@dataclass(frozen=True)
class ListQuery:
    """For a dependency of a route: `query: Annotated[ListQuery, Depends()]`."""

    q: Q = ""
    sort: Sort = ""
    cursor: Cursor = ""
    limit: Limit = 100


ListQueryOf = Annotated[ListQuery, Depends()]


@dataclass(frozen=True)
class Order:
    """A field to sort by. `after`: the value and the id of the last item of the page before."""

    field: str
    is_descending: bool
    after: tuple[Any, str] | None


@dataclass(frozen=True)
class Page(Generic[T]):
    items: list[T]
    next_cursor: str | None
    total: int


def order(sort: str, cursor: str, fields: Sequence[str]) -> Order:
    """Raises BadInput for an unknown field, and for a cursor that no page returned."""
    field = sort.removeprefix("-") or fields[0]
    if field not in fields:
        known = ", ".join(fields)
        raise BadInput("list.sort", f"Items cannot be sorted by `{field}`", f"fields: {known}", fields={"sort": f"is not one of: {known}"})
    return Order(field, sort.startswith("-"), _after(cursor) if cursor else None)


def cursor_of(value: Any, item_id: str) -> str:
    return urlsafe_b64encode(json.dumps([value, item_id]).encode()).decode().rstrip("=")


def page(items: Sequence[T], query: ListQuery, keys: Mapping[str, Callable[[T], Any]], item_id: Callable[[T], str]) -> Page[T]:
    """Return one page of a list that is small enough to be read at once. `q` searches the id and the fields that the list can be sorted by."""
    wanted, limit = order(query.sort, query.cursor, tuple(keys)), query.limit
    matching = [item for item in items if _matches(query.q, [*(get(item) for get in keys.values()), item_id(item)])]

    def key(item: T) -> tuple[str, str]:
        return str(keys[wanted.field](item) or ""), item_id(item)

    found = sorted(matching, key=key, reverse=wanted.is_descending)
    if wanted.after is not None:
        last = (str(wanted.after[0] or ""), wanted.after[1])
        found = [item for item in found if (key(item) < last if wanted.is_descending else key(item) > last)]
    shown = found[:limit]
    return Page(shown, cursor_of(*key(shown[-1])) if len(found) > limit else None, len(matching))


def _matches(q: str, values: Sequence[Any]) -> bool:
    return not q or any(q.lower() in str(value or "").lower() for value in values)


def _after(cursor: str) -> tuple[str, str]:
    """Decode a cursor. Raises BadInput for anything but a pair of texts that UTF-8 can hold."""
    try:
        found = bounded_json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(part, str) and is_text(part) for part in found):
        raise BadInput(
            "list.cursor", "This cursor is not one that a page returned", "send `next_cursor` as it was", fields={"cursor": "unknown"}
        )
    return found[0], found[1]
