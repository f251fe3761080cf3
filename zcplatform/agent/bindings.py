"""Where a secret may be sent: the one server (or set of servers) it was saved for.

A stored secret is bound to the text made here. If the settings change so that this text changes, the secret is not used any more and has to
be given again. The text holds scheme, host and port, and every other option that decides where or how the secret travels.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from zcplatform.agent.agent_settings import Channel, Provider
from zcplatform.agent.fields import Field
from zcplatform.agent.providers import FAMILIES, Uri

_DEFAULT_PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


def origin(uri: str | None) -> str | None:
    """`scheme://host[:port]` of an address, in one spelling; None if it names no host."""
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
    """The base URL that the agent uses; None where only the agent knows it."""
    known = FAMILIES.get(provider.family)
    if known is None:
        return None
    if provider.base_url and known.uri is not Uri.IGNORED:
        return provider.base_url
    return known.endpoints.get(str(provider.options.get("endpoint")), known.default_uri or "") or None


def of_provider(provider: Provider) -> str:
    """The family's name stands for an address that only the agent knows."""
    known = FAMILIES.get(provider.family)
    return " ".join((origin(address(provider)) or provider.family, *_bound(known.fields if known else {}, provider.options)))


def of_channel(channel: Channel, fields: Mapping[str, Field]) -> str | None:
    """The servers that the settings name; None where the service is always the same."""
    servers = [origin(value) or value if "://" in value else value for value in _servers(channel, fields)]
    return " ".join((*servers, *_bound(fields, channel.options))) or None


def _servers(channel: Channel, fields: Mapping[str, Field]) -> list[str]:
    values = [channel.options.get(name, field.default) for name, field in fields.items() if field.names_a_server]
    return [value for value in values if isinstance(value, str) and value]


def _bound(fields: Mapping[str, Field], options: Mapping[str, object]) -> list[str]:
    return [f"{name}={options.get(name, field.default)}" for name, field in fields.items() if field.binds]


def old_of_provider(provider: Provider) -> str:
    """As it was until version 0.1: without scheme and options."""
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
