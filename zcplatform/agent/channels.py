"""Load the agent's channel types from `catalog/channels.toml`, which forms, validation and rendering share."""

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


class Use(StrEnum):
    """What a channel is for. `announce` only sends: a target for cron jobs and the heartbeat."""

    TALK = "talk"
    ANNOUNCE = "announce"
    NONE = "none"


@dataclass(frozen=True)
class Public:
    """Where the service calls the channel: a path of the agent's gateway, or of the channel's own listener if `port_field` is set.

    `{alias}` in the path is the channel's name. `when` is `field` (has a value) or `field=value`.
    """

    path: str
    path_field: str | None = None
    port_field: str | None = None
    when: str | None = None


@dataclass(frozen=True)
class Need:
    """Fields that are required `when` another field has a value; or, with `any`, one of several sets of fields."""

    when: str | None = None
    fields: tuple[str, ...] = ()
    any: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class ChannelType:
    name: str
    label: str
    use: Use
    compiled: str
    """The feature of the agent's build that contains it: `default`, `channels-full` (both in our own build) or one of its own."""
    fields: Mapping[str, Field]
    why_not: str | None = None
    also_compiled: Mapping[str, str] | None = None
    link: str | None = None
    steps: tuple[str, ...] = ()
    peer: str | None = None
    """What identifies a person who may talk to the agent. For a channel without a gate: whom the agent may write to unprompted."""
    peer_example: str | None = None
    gate: bool = True
    """False: the agent cannot identify senders, and a secret protects the channel."""
    public: Public | None = None
    needs: tuple[Need, ...] = ()
    only_one: bool = False


@functools.cache
def types() -> Mapping[str, ChannelType]:
    """Return the types by name, those for people first. Loaded on first use."""
    text = files("zcplatform.agent").joinpath("catalog/channels.toml").read_text("utf-8")
    return MappingProxyType({name: _type(name, row) for name, row in tomllib.loads(text).items()})


def _type(name: str, row: dict[str, Any]) -> ChannelType:
    known = dict(row)
    known["use"] = Use(known["use"])
    known["fields"] = MappingProxyType({field: fields.read(field, facts) for field, facts in known["fields"].items()})
    known["steps"] = tuple(known.get("steps", ()))
    if "public" in known:
        known["public"] = Public(**known["public"])
    known["needs"] = tuple(
        Need(need.get("when"), tuple(need.get("fields", ())), tuple(tuple(names) for names in need.get("any", ())))
        for need in known.get("needs", ())
    )
    return ChannelType(name, **known)


def holds(when: str | None, values: Mapping[str, Any]) -> bool:
    """Whether these values meet a condition of the catalog. The caller includes the defaults."""
    if when is None:
        return True
    name, mark, wanted = when.partition("=")
    value = values.get(name)
    return value == wanted if mark else value not in (None, "", (), [], False)
