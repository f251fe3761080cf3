"""Request a test of a saved or a not yet saved provider. The worker makes the call; this module calls nothing outside."""

from base64 import b64encode
from dataclasses import dataclass

from zcplatform.agent import bindings, provider_input
from zcplatform.agent.names import is_alias
from zcplatform.core.tenant import Tenant, Wanted
from zcplatform.errors import BadInput, Conflict
from zcplatform.ops import providers, tenants
from zcplatform.ops.context import Caller, Context
from zcplatform.vault.sealing import TRIAL, SecretBinding, seal


@dataclass(frozen=True)
class UnsavedProvider:
    """A provider that is not saved. Its key is sealed for the worker and stored nowhere."""

    family: str
    model: str
    base_url: str | None
    api_key: str | None


async def ask(caller: Caller, id_or_slug: str, alias: str, unsaved: UnsavedProvider | None) -> tuple[Tenant, dict[str, str | None]]:
    """Return the tenant, and what else the worker needs. Raises BadInput naming the fields."""
    if not is_alias(alias):
        raise BadInput(
            "provider.invalid",
            f"`{alias[:63]}` is not the name of a provider",
            "1 to 63 of a-z, 0-9 and _",
            fields={"alias": "is not a name"},
        )
    row = caller.context.database.read(lambda tx: tenants.get(tx, id_or_slug))
    if row.wanted == Wanted.ABSENT:
        raise Conflict("tenant.deleting", f"Tenant `{row.slug}` is being deleted", "create another one")
    arguments = _sealed(caller.context, row, alias, unsaved) if unsaved is not None else {}
    await caller.issue("provider.test", alias, row.id)
    return row, arguments


def _sealed(context: Context, row: Tenant, alias: str, unsaved: UnsavedProvider) -> dict[str, str | None]:
    key = unsaved.api_key.strip() if unsaved.api_key else None
    given = provider_input.of(unsaved.family, unsaved.model, unsaved.base_url, key, alias)
    provider_input.check(given, needs_key=False)
    if given.base_url is not None:
        providers.check_reach(context, given.base_url)
    box = None
    if key is not None:
        binding = SecretBinding(row.id, TRIAL, alias, bindings.of_provider(given.provider), "", 0)
        box = b64encode(seal(context.seal_public, binding, key)).decode()
    return {"family": given.family, "model": given.model, "base_url": given.base_url, "box": box}
