"""The public webhook paths of channels that other services call.

There are two kinds. The gateway serves some types under fixed paths. Others listen on a port of their own, on all addresses of the container:
for these the platform chooses port and path, and a public path under the tenant's name. A port chosen by a person could be the
gateway's, and a path could be one that is closed.

The settings may come from a hostile row: anything malformed opens no path.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from zcplatform.agent import closed_paths
from zcplatform.agent.names import is_alias

GATEWAY_TYPES = frozenset(closed_paths.HOOKS)
"""Types with a path of the gateway, which serves it whether or not such a channel is configured. The edge opens it only for a tenant that has one."""

INNER_PATHS: Mapping[str, str] = MappingProxyType({"webhook": "/webhook", "line": "/line/webhook", "lark": "/lark"})
"""The paths that a listener of a type serves on its own port."""

FIRST_PORT, LAST_PORT = 8090, 8121


@dataclass(frozen=True)
class Listener:
    channel: str
    """`type.alias`"""
    path: str
    """Public path under the tenant's name, for `POST` only."""
    port: int
    """Inside the container."""
    inner: str


@dataclass(frozen=True)
class Hooks:
    listeners: tuple[Listener, ...] = ()
    gateway: tuple[str, ...] = ()
    """Return the types of `GATEWAY_TYPES` that are configured."""


NONE = Hooks()


def of(channels: object) -> Hooks:
    """Return the listeners of a tenant.

    `channels` maps `type.alias` to `{"enabled": …, "options": {…}}`, as settings are stored. Ports are assigned to enabled channels in the order of
    their names.
    """
    if not isinstance(channels, Mapping):
        return NONE
    enabled = sorted(name for name, channel in channels.items() if isinstance(name, str) and _is_enabled(channel))
    kinds = {name: name.partition(".")[0] for name in enabled if is_alias(name.partition(".")[2])}
    listening = [name for name, kind in kinds.items() if kind in INNER_PATHS and _listens(kind, channels[name])]
    ports = range(FIRST_PORT, LAST_PORT + 1)
    return Hooks(
        tuple(
            Listener(name, f"/channels/{name.replace('.', '/')}", port, INNER_PATHS[kinds[name]])
            for name, port in zip(listening, ports, strict=False)
        ),
        tuple(sorted({kind for kind in kinds.values() if kind in GATEWAY_TYPES})),
    )


def _is_enabled(channel: object) -> bool:
    """Read whether a channel is enabled. Stored settings omit defaults."""
    return isinstance(channel, Mapping) and channel.get("enabled", True) is True


def _listens(kind: str, channel: Mapping[str, object]) -> bool:
    """Whether Lark calls the channel. By default it is the channel that keeps a connection to Lark."""
    options = channel.get("options")
    return kind != "lark" or (isinstance(options, Mapping) and options.get("receive_mode") == "webhook")
