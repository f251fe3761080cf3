"""The families of model providers an agent can be given. The data stands in `catalog/providers.toml`; forms, checks and rendering use the same."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType

from zcplatform.errors import BadInput


class Uri(StrEnum):
    """What the agent does with an address given for the family."""

    HONOURED = "honoured"
    NEEDED = "needed"
    IGNORED = "ignored"


class Key(StrEnum):
    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


@dataclass(frozen=True)
class Family:
    name: str
    label: str
    default_uri: str | None
    uri: Uri
    key: Key


def _read() -> Mapping[str, Family]:
    text = files("zcplatform.agent").joinpath("catalog/providers.toml").read_text("utf-8")
    return MappingProxyType(
        {
            name: Family(name, row["label"], row.get("default_uri"), Uri(row["uri"]), Key(row["key"]))
            for name, row in tomllib.loads(text).items()
        }
    )


FAMILIES: Mapping[str, Family] = _read()


def family(name: str) -> Family:
    try:
        return FAMILIES[name]
    except KeyError:
        raise BadInput(
            "provider.unknown_family",
            f"{name[:64]!r} is not a provider the agent knows",
            "`custom` speaks to every OpenAI-compatible service",
            fields={"family": "unknown"},
        ) from None
