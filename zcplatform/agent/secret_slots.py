"""Where secrets go in a tenant's settings, by name: what can be stored, for which host, and where the renderer puts it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from zcplatform.agent.agent_settings import AgentSettings, Channel, Provider
from zcplatform.agent.channels import Need, holds, types
from zcplatform.agent.fields import Check, Field
from zcplatform.agent.providers import FAMILIES, Auth, Uri


@dataclass(frozen=True)
class SecretSlot:
    """`provider.main.api_key`, `channel.telegram.main.bot_token`, `mcp.docs.headers.Authorization`."""

    name: str
    path: str
    """The path of the field in the settings, for forms and errors."""
    host: str | None
    """HOST:PORT the secret is for: it is not sent to another one (S-59). None where the agent knows it alone."""
    is_needed: bool
    key: tuple[str, ...]
    """Where it stands in the agent's file."""
    is_plain: bool = False
    """The agent does not open a sealed value there."""
    field: Field | None = None


def secret_slots(settings: AgentSettings) -> tuple[SecretSlot, ...]:
    """Everything that may hold a secret with these settings. What the catalog does not know has none."""
    return (*_of_providers(settings), *_of_channels(settings), *_of_servers(settings))


def auth_of(provider: Provider) -> Auth:
    return Auth(provider.auth) if provider.auth else FAMILIES[provider.family].auth[0]


def address(provider: Provider) -> str | None:
    """The base URL that is really used; None where only the agent knows it."""
    known = FAMILIES.get(provider.family)
    if known is None:
        return None
    if provider.base_url and known.uri is not Uri.IGNORED:
        return provider.base_url
    return known.endpoints.get(str(provider.options.get("endpoint")), known.default_uri or "") or None


def host_of(provider: Provider) -> str:
    """Host and port a provider's secrets are for; the family's name stands for an address that is not known beforehand."""
    return _host(address(provider)) or f"{provider.family}:443"


def _host(uri: str | None) -> str | None:
    try:
        parts = urlsplit(uri or "")
        return f"{parts.hostname}:{parts.port or (80 if parts.scheme == 'http' else 443)}" if parts.hostname else None
    except ValueError:
        return None


def _of_providers(settings: AgentSettings) -> Iterator[SecretSlot]:
    for alias, provider in settings.providers.items():
        known = FAMILIES.get(provider.family)
        if known is None or (provider.auth and provider.auth not in known.auth):
            continue
        host, entry, auth = host_of(provider), ("providers", "models", provider.family, alias), auth_of(provider)
        name = {Auth.KEY: "api_key", Auth.REFRESH_TOKEN: "oauth_refresh_token"}.get(auth)
        is_needed = name is not None
        if name is None and provider.auth is None and Auth.KEY in known.auth:
            name = "api_key"  # usually none, and nobody said so: one that is given is used
        if name:
            yield SecretSlot(
                f"provider.{alias}.{name}", f"providers.{alias}.{name}", host, is_needed, (*entry, name), field=known.fields[name]
            )
        for header in provider.headers:
            yield SecretSlot(
                f"provider.{alias}.headers.{header}",
                f"providers.{alias}.headers.{header}",
                host,
                True,
                (*entry, "extra_headers", header),
            )


def _of_channels(settings: AgentSettings) -> Iterator[SecretSlot]:
    for name, channel in settings.channels.items():
        kind, _, alias = name.partition(".")
        known = types().get(kind)
        if known is None:
            continue
        wanted = needed(known.needs, channel, known.fields)
        for field in known.fields.values():
            if field.secret and field.closed is None:
                yield SecretSlot(
                    f"channel.{name}.{field.name}",
                    f"channels.{name}.{field.name}",
                    _channel_host(channel, known.fields),
                    channel.enabled and (field.needed or field.name in wanted),
                    ("channels", kind, alias, field.name),
                    field.plain,
                    field,
                )


def needed(needs: tuple[Need, ...], channel: Channel, fields: Mapping[str, Field]) -> frozenset[str]:
    """The fields that are needed because another one has a value."""
    values = {name: field.default for name, field in fields.items()} | channel.options
    return frozenset(name for need in needs if need.when and holds(need.when, values) for name in need.fields)


def _channel_host(channel: Channel, fields: Mapping[str, Field]) -> str | None:
    """The servers a person names himself: the secrets are for those."""
    hosts = []
    for name, field in fields.items():
        value = channel.options.get(name, field.default)
        if field.check in (Check.URL, Check.HOST, Check.BROKER) and isinstance(value, str) and value:
            hosts.append(_host(value) if "://" in value else value)
    return ",".join(host for host in hosts if host) or None


def _of_servers(settings: AgentSettings) -> Iterator[SecretSlot]:
    for place, (name, server) in enumerate(settings.mcp.items()):
        for header in server.headers:
            path = f"mcp.{name}.headers.{header}"
            yield SecretSlot(path, path, _host(server.url), True, ("mcp", "servers", str(place), "headers", header))
