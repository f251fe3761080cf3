"""Bind a secret to the server (or set of servers) that it was saved for; it is sent nowhere else.

A stored secret is bound to a text made here. If the settings change so that this text changes, the secret is no longer used and has to
be submitted again. The text contains the scheme, host and port, and every other option that decides where or how the secret travels.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from zcplatform.agent.agent_settings import Channel, Provider
from zcplatform.agent.fields import Field
from zcplatform.agent.providers import FAMILIES, Uri

_DEFAULT_PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def origin(uri: str | None) -> str | None:
    """Return `scheme://host[:port]` of an address, normalized; None if it names no host."""
    try:
        parts = urlsplit(uri or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port and port != _DEFAULT_PORTS.get(parts.scheme) else "")


def address(provider: Provider) -> str | None:
    """Return the base URL that the agent uses; None if only the agent knows it."""
    known = FAMILIES.get(provider.family)
    if known is None:
        return None
    if provider.base_url and known.uri is not Uri.IGNORED:
        return provider.base_url
    return known.endpoints.get(str(provider.options.get("endpoint")), known.default_uri or "") or None


def of_provider(provider: Provider) -> str:
    """Return the binding of a provider's key. The name of the family stands for an address that only the agent knows."""
    known = FAMILIES.get(provider.family)
    return " ".join((origin(address(provider)) or provider.family, *_bound(known.fields if known else {}, provider.options)))


def of_channel(channel: Channel, fields: Mapping[str, Field]) -> str | None:
    """Return the servers that the settings name; None if the service has a fixed address."""
    servers = [origin(value) or value if "://" in value else value for value in _servers(channel, fields)]
    return " ".join((*servers, *_bound(fields, channel.options))) or None


def _servers(channel: Channel, fields: Mapping[str, Field]) -> list[str]:
    values = [channel.options.get(name, field.default) for name, field in fields.items() if field.names_a_server]
    return [value for value in values if isinstance(value, str) and value]


def _bound(fields: Mapping[str, Field], options: Mapping[str, object]) -> list[str]:
    return [f"{name}={options.get(name, field.default)}" for name, field in fields.items() if field.binds]


def old_of_provider(provider: Provider) -> str:
    """Return the binding as version 0.1 made it: without scheme and options."""
    return old_origin(address(provider)) or f"{provider.family}:443"


def old_of_channel(channel: Channel, fields: Mapping[str, Field]) -> str | None:
    hosts = [old_origin(value) if "://" in value else value for value in _servers(channel, fields)]
    return ",".join(host for host in hosts if host) or None


def old_origin(uri: str | None) -> str | None:
    try:
        parts = urlsplit(uri or "")
        return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}" if parts.hostname else None
    except ValueError:
        return None
