"""What may be asked to test a provider: one that is saved, or one that is about to be. The worker does it; nothing outside is asked here."""

from base64 import b64encode
from dataclasses import dataclass

from zcplatform.agent import provider_input
from zcplatform.agent.hosts import key_host
from zcplatform.agent.providers import Key, family
from zcplatform.core.tenant import Tenant, Wanted
from zcplatform.errors import BadInput, Conflict
from zcplatform.ops import providers, tenants
from zcplatform.ops.context import Actor, Context, RetryKey, issue
from zcplatform.vault.sealing import TRIAL, SecretBinding, seal


@dataclass(frozen=True)
class UnsavedProvider:
    """A provider that is not saved; its key goes to the worker in a box and is kept nowhere."""

    family: str
    model: str
    base_url: str | None
    api_key: str | None


async def ask(
    context: Context, actor: Actor, retry: RetryKey, id_or_slug: str, alias: str, trial: UnsavedProvider | None
) -> tuple[Tenant, dict[str, str | None]]:
    """The tenant, and what the worker has to be told besides. Raises BadInput by field."""
    if not provider_input.is_alias(alias):
        raise BadInput(
            "provider.bad_alias",
            f"`{alias[:63]}` is not the name of a provider",
            "1 to 63 of a-z, 0-9 and _",
            fields={"alias": "not a name"},
        )
    row = context.database.read(lambda tx: tenants.get(tx, id_or_slug))
    if row.wanted == Wanted.ABSENT:
        raise Conflict("tenant.deleting", f"Tenant `{row.slug}` is being deleted", "create another one")
    told = _sealed(context, row, alias, trial) if trial is not None else {}
    await issue(context, actor, retry, "provider.test", alias, row.id)
    return row, told


def _sealed(context: Context, row: Tenant, alias: str, trial: UnsavedProvider) -> dict[str, str | None]:
    no_key = family(trial.family).key is Key.NONE
    key = trial.api_key or (None if no_key else "none yet")
    provider_input.check(provider_input.ProviderWithKey(trial.family, trial.model, trial.base_url, key, alias))
    if trial.base_url is not None:
        providers.check_reach(context, trial.base_url)
    box = None
    if trial.api_key is not None:
        binding = SecretBinding(row.id, TRIAL, alias, key_host(trial.family, trial.base_url), "", 0)
        box = b64encode(seal(context.seal_public, binding, trial.api_key)).decode()
    return {"family": trial.family, "model": trial.model, "base_url": trial.base_url, "box": box}
