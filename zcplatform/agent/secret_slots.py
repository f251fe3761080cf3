"""List the secrets that settings can have: what may be stored, where it may be sent, and where the renderer writes it.

A secret has one name everywhere, its path in the settings: `providers.main.api_key`, `channels.telegram.main.bot_token`,
`mcp.docs.headers.Authorization`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from zcplatform.agent import bindings
from zcplatform.agent.agent_settings import AgentSettings, Channel, Provider
from zcplatform.agent.channels import Need, holds, types
from zcplatform.agent.fields import Field
from zcplatform.agent.providers import FAMILIES, Auth


@dataclass(frozen=True)
class SecretSlot:
    name: str
    binding: str | None
    """Where the secret may be sent (S-59; see `bindings`). None: only the agent knows."""
    is_needed: bool
    key: tuple[str, ...]
    """Its path in the agent's file."""
    is_plain: bool = False
    """The agent does not decrypt a sealed value there, so it is written in clear text."""
    field: Field | None = None
    old_binding: str | None = None
    """The binding that a version before 0.2 made of the same settings."""

    @property
    def is_header(self) -> bool:
        """Whether it is sent as an HTTP header."""
        return not self.name.startswith("channels.")


def secret_slots(settings: AgentSettings) -> tuple[SecretSlot, ...]:
    """Return all slots of these settings. Types that the catalog does not know have none."""
    return (*_of_providers(settings), *_of_channels(settings), *_of_servers(settings))


def auth_of(provider: Provider) -> Auth:
    return Auth(provider.auth) if provider.auth else FAMILIES[provider.family].auth[0]


def needed(needs: tuple[Need, ...], channel: Channel, fields: Mapping[str, Field]) -> frozenset[str]:
    """Return the fields that are required because another field has a value."""
    values = {name: field.default for name, field in fields.items()} | channel.options
    return frozenset(name for need in needs if need.when and holds(need.when, values) for name in need.fields)


def _of_providers(settings: AgentSettings) -> Iterator[SecretSlot]:
    for alias, provider in settings.providers.items():
        known = FAMILIES.get(provider.family)
        if known is None or (provider.auth and provider.auth not in known.auth):
            continue
        binding, old = bindings.of_provider(provider), bindings.old_of_provider(provider)
        path, entry = f"providers.{alias}", ("providers", "models", provider.family, alias)
        name, is_needed = _credential(provider)
        if name:
            yield SecretSlot(f"{path}.{name}", binding, is_needed, (*entry, name), field=known.fields[name], old_binding=old)
        for header in provider.headers:
            yield SecretSlot(f"{path}.headers.{header}", binding, True, (*entry, "extra_headers", header), old_binding=old)


def _credential(provider: Provider) -> tuple[str | None, bool]:
    """Return the field that authenticates to the provider, and whether it is required."""
    name = {Auth.KEY: "api_key", Auth.REFRESH_TOKEN: "oauth_refresh_token"}.get(auth_of(provider))
    if name is None and provider.auth is None and Auth.KEY in FAMILIES[provider.family].auth:
        return "api_key", False  # normally used without a key, but a stored key is sent
    return name, name is not None


def _of_channels(settings: AgentSettings) -> Iterator[SecretSlot]:
    for name, channel in settings.channels.items():
        kind, _, alias = name.partition(".")
        known = types().get(kind)
        if known is None:
            continue
        wanted = needed(known.needs, channel, known.fields)
        binding, old = bindings.of_channel(channel, known.fields), bindings.old_of_channel(channel, known.fields)
        for field in known.fields.values():
            if field.secret and field.closed is None:
                is_needed = channel.enabled and (field.needed or field.name in wanted)
                key = ("channels", kind, alias, field.name)
                yield SecretSlot(f"channels.{name}.{field.name}", binding, is_needed, key, field.plain, field, old)


def _of_servers(settings: AgentSettings) -> Iterator[SecretSlot]:
    for position, (name, server) in enumerate(settings.mcp.items()):
        for header in server.headers:
            key = ("mcp", "servers", str(position), "headers", header)
            binding, old = bindings.origin(server.url), bindings.old_origin(server.url)
            yield SecretSlot(f"mcp.{name}.headers.{header}", binding, True, key, old_binding=old)
