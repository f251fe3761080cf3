"""Load the families of model providers from `catalog/`, which forms, validation and rendering share."""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from zcplatform.agent import fields
from zcplatform.agent.fields import Field
from zcplatform.errors import BadInput


class Uri(StrEnum):
    """What the agent does with a base URL in an entry of the family."""

    HONOURED = "honoured"
    NEEDED = "needed"
    IGNORED = "ignored"


class Key(StrEnum):
    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


class Auth(StrEnum):
    """How the agent authenticates. `login` uses the login of a program in the agent's image."""

    KEY = "key"
    NONE = "none"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105
    LOGIN = "login"


@dataclass(frozen=True)
class Price:
    """USD per million tokens. None: unknown."""

    input: float
    output: float
    cached_input: float | None = None
    cache_write: float | None = None


@dataclass(frozen=True)
class Family:
    name: str
    label: str
    default_uri: str | None
    uri: Uri
    key: Key
    auth: tuple[Auth, ...]
    """The first is the default."""
    header: str
    """How a key is sent: bearer, x-api-key, x-goog-api-key, api-key, github (exchanged for a token), zhipu (as a short-lived token)."""
    test: str | None
    """The request that tests a key; None with the reason why there is none."""
    test_reason: str | None
    models: tuple[str, ...]
    """Suggested models."""
    endpoints: Mapping[str, str]
    """Addresses by the option `endpoint`."""
    prices: Mapping[str, Price]
    note: str | None

    @property
    def fields(self) -> Mapping[str, Field]:
        """Fields of an entry: those of every family, and its own."""
        return _fields(self.name)


def _family(name: str, row: Mapping[str, Any]) -> Family:
    return Family(
        name=name,
        label=row["label"],
        default_uri=row.get("default_uri"),
        uri=Uri(row["uri"]),
        key=Key(row["key"]),
        auth=tuple(Auth(form) for form in row["auth"]),
        header=row.get("header", "bearer"),
        test=row.get("test"),
        test_reason=row.get("test_reason"),
        models=tuple(row.get("models", ())),
        endpoints=MappingProxyType(row.get("endpoints", {})),
        prices=MappingProxyType({model: Price(**price) for model, price in row.get("prices", {}).items()}),
        note=row.get("note"),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("zcplatform.agent").joinpath(f"catalog/{name}.toml").read_text("utf-8"))


FAMILIES: Mapping[str, Family] = MappingProxyType({name: _family(name, row) for name, row in _read("providers").items()})


@functools.cache
def _all_fields() -> Mapping[str, Mapping[str, Field]]:
    return {owner: {name: fields.read(name, facts) for name, facts in rows.items()} for owner, rows in _read("provider_fields").items()}


@functools.cache
def _fields(name: str) -> Mapping[str, Field]:
    known = _all_fields()
    return MappingProxyType({**known["common"], **known.get(name, {})})


def family(name: str) -> Family:
    try:
        return FAMILIES[name]
    except KeyError:
        raise BadInput(
            "provider.unknown_family",
            f"`{name[:64]}` is not a provider the agent knows",
            "`custom` speaks to every OpenAI-compatible service",
            fields={"family": "unknown"},
        ) from None
