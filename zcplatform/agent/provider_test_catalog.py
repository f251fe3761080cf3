"""Load the requests that test a key, and the meaning of their answers, from `catalog/provider_tests.toml`. Each family names one of them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class KeyForm:
    """The headers that carry a key, with `{key}` or `{short_token}` in them, and others for keys that begin with a certain prefix."""

    headers: Mapping[str, str]
    prefixes: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class RequestTemplate:
    """One request. `otherwise` names the request that decides if there is no list, or anyone may read it."""

    method: str
    path: str
    rows: str
    name: str | None
    cut: tuple[str, ...]
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    refused: frozenset[int]
    limited: frozenset[int]
    wrong_model: frozenset[int]
    no_list: frozenset[int]
    otherwise: str | None


def _request(row: Mapping[str, Any]) -> RequestTemplate:
    return RequestTemplate(
        method=row["method"],
        path=row["path"],
        rows=row["rows"],
        name=row.get("name"),
        cut=tuple(row.get("cut", ())),
        headers=MappingProxyType(row.get("headers", {})),
        body=row.get("body"),
        refused=frozenset(row.get("refused", (401, 403))),
        limited=frozenset(row.get("limited", (402, 429))),
        wrong_model=frozenset(row.get("wrong_model", ())),
        no_list=frozenset(row.get("no_list", ())),
        otherwise=row.get("else"),
    )


_CATALOG = tomllib.loads(files("zcplatform.agent").joinpath("catalog/provider_tests.toml").read_text("utf-8"))
KEY_FORMS: Mapping[str, KeyForm] = MappingProxyType(
    {name: KeyForm(row["headers"], row.get("prefixes", {})) for name, row in _CATALOG["keys"].items()}
)
REQUESTS: Mapping[str, RequestTemplate] = MappingProxyType({name: _request(row) for name, row in _CATALOG["tests"].items()})
