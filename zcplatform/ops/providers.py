"""The main provider of a tenant as it is sent with the tenant itself: a part of its settings under a shorter name."""

from dataclasses import dataclass

from zcplatform.agent import agent_settings
from zcplatform.agent.agent_settings import MAIN, AgentSettings
from zcplatform.agent.fields import is_address
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.differences import merged
from zcplatform.core.tenant import Tenant
from zcplatform.errors import BadInput, PlatformError
from zcplatform.ops import config, secrets
from zcplatform.ops.context import Actor, Context
from zcplatform.ops.reach import unreachable
from zcplatform.store.db import Tx

KEY = f"provider.{MAIN}.api_key"
_PATH = f"providers.{MAIN}"


@dataclass(frozen=True)
class MainProvider:
    """As asked for; `api_key` None leaves a stored key as it is, unless the host changes."""

    family: str
    model: str
    base_url: str | None
    api_key: str | None

    def change(self) -> dict[str, object]:
        """A merge patch; what belongs to another family does not go on."""
        return {"providers": {MAIN: {"family": self.family, "model": self.model, "base_url": self.base_url}}}

    @property
    def given(self) -> dict[str, str]:
        return {} if self.api_key is None else {KEY: self.api_key}


def first(tx: Tx, context: Context, tenant: Tenant, provider: MainProvider | None) -> tuple[AgentSettings, dict[str, str]]:
    """The settings of a new tenant, checked, and the values of its secrets."""
    if provider is None:
        return AgentSettings(), {}
    try:
        settings = agent_settings.parse(merged({}, provider.change()))
        secrets.check(settings, provider.given)
        config.check(tx, context, tenant, settings, frozenset(provider.given))
    except PlatformError as error:
        raise config.renamed(error, _PATH, "provider") from None
    return settings, provider.given


def save(tx: Tx, context: Context, actor: Actor, at: str, tenant: Tenant, provider: MainProvider) -> int | None:
    """The number of the new revision; None when nothing is new."""
    before = config.current(tx, tenant)
    known = agent_settings.to_json(before)
    main = before.providers.get(MAIN)
    if main is not None and main.family != provider.family:
        known["providers"].pop(MAIN)
    try:
        return config.write(tx, context, actor, at, tenant, merged(known, provider.change()), provider.given, "provider")
    except PlatformError as error:
        raise config.renamed(error, _PATH, "provider") from None


def check_reach(context: Context, base_url: str) -> None:
    """Raises BadInput."""
    why = unreachable(context.settings.allowed_hosts, base_url)
    if not is_address(base_url):
        why = "must be http(s)://HOST[:PORT]/PATH without user and fragment"
    if why is not None:
        raise BadInput("provider.bad_uri", f"`base_url` {why}", "for example https://llm.example.com/v1", fields={"provider.base_url": why})


def has_key(tx: Tx, tenant: Tenant) -> bool:
    """For the host that is named now."""
    settings = config.current(tx, tenant)
    return any(place.name == KEY for place in secret_slots(settings)) and KEY in secrets.stored(tx, tenant.id, settings)
