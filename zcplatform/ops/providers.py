"""The main provider of a tenant in the short form that requests about tenants use; it is stored in the settings."""

from dataclasses import dataclass

from zcplatform.agent import agent_settings
from zcplatform.agent.agent_settings import MAIN, AgentSettings
from zcplatform.core.differences import merged
from zcplatform.core.tenant import Tenant
from zcplatform.errors import BadInput, PlatformError
from zcplatform.ops import config, secrets
from zcplatform.ops.context import Call, Context
from zcplatform.ops.reachable_hosts import unreachable
from zcplatform.store.db import Tx

KEY = f"providers.{MAIN}.api_key"
_PATH = f"providers.{MAIN}"


@dataclass(frozen=True)
class MainProvider:
    """As requested. `api_key` None keeps a stored key, unless the server changes."""

    family: str
    model: str
    base_url: str | None
    api_key: str | None

    def change(self) -> dict[str, object]:
        """A merge patch of the settings."""
        return {"providers": {MAIN: {"family": self.family, "model": self.model, "base_url": self.base_url}}}

    @property
    def given(self) -> dict[str, str]:
        return {} if self.api_key is None else {KEY: self.api_key}


def first(call: Call, tenant: Tenant, provider: MainProvider | None) -> tuple[AgentSettings, dict[str, str]]:
    """The settings of a new tenant, checked, and the values of its secrets."""
    if provider is None:
        return AgentSettings(), {}
    try:
        settings, given = agent_settings.parse(merged({}, provider.change())), secrets.cleaned(provider.given)
        secrets.check(settings, given)
        config.check(call, tenant, settings, config.lengths(given))
    except PlatformError as error:
        raise config.renamed(error, _PATH, "provider") from None
    return settings, given


def save(call: Call, tenant: Tenant, provider: MainProvider) -> tuple[Call, int | None]:
    """The number of the new revision; None if nothing changed."""
    before = config.current(call.tx, tenant)
    known = agent_settings.to_json(before)
    main = before.providers.get(MAIN)
    if main is not None and main.family != provider.family:
        known["providers"].pop(MAIN)
    try:
        return config.write(call, tenant, merged(known, provider.change()), provider.given, "provider")
    except PlatformError as error:
        raise config.renamed(error, _PATH, "provider") from None


def check_reach(context: Context, base_url: str) -> None:
    """Raises BadInput for an address that agents may not reach."""
    why = unreachable(context.settings.allowed_hosts, base_url)
    if why is not None:
        raise BadInput(
            "provider.invalid",
            f"The provider cannot be used: `base_url` {why}",
            "for example https://llm.example.com/v1",
            fields={"base_url": why},
        )


def has_key(tx: Tx, tenant: Tenant) -> bool:
    """Whether a key is stored for the server that the settings name now."""
    return KEY in secrets.stored(tx, tenant.id, config.current(tx, tenant))
