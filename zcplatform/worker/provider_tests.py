"""Test a provider, saved or about to be saved. Only here does the platform call a server that a tenant named.

A saved key is sent only to the server that it was saved for. A key that is not saved arrives in a sealed box that only this process can open,
bound to tenant, name and server. Neither the key nor any part of the answer is logged.
"""

from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

from zcplatform import clock
from zcplatform.adapters.providers import ProviderClient, Unreachable
from zcplatform.agent import bindings, provider_calls, provider_input
from zcplatform.agent.provider_calls import ProviderTestOutcome, Result
from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.core.secret_names import row_of
from zcplatform.errors import BadInput, NotFound
from zcplatform.ids import TenantId
from zcplatform.store.db import Tx
from zcplatform.vault import opening
from zcplatform.vault.keys import Keys
from zcplatform.vault.sealing import TRIAL, SecretBinding
from zcplatform.worker.deps import Deps
from zcplatform.worker.live_requests import ConcurrencyLimit, load_tenant, require_text
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

NO_ANSWER = "it did not answer, or its address is one that agents may not reach"
LONGEST_BOX = 48_000
MOST_AT_ONCE = 64
"""Simultaneous tests of all tenants. Each tenant has one at a time, so silent providers of some leave room for others."""


class ProviderTests:
    def __init__(self, deps: Deps, keys: Keys) -> None:
        self._deps = deps
        self._keys = keys
        self._client = ProviderClient(deps.settings.allowed_hosts, deps.settings.domain, most_lookups=MOST_AT_ONCE)
        self._limit = ConcurrencyLimit(each=1, altogether=MOST_AT_ONCE)

    async def run(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """Run a test and yield one answer: the outcome, the family, and the server that was called."""
        snapshot = load_tenant(self._deps, request, with_drafts=True)
        alias = require_text(request, "alias", 63)
        with self._limit.taken(snapshot.tenant.id):
            given = self._unsaved(snapshot.tenant.id, alias, request) if "family" in request else await self._saved(snapshot, alias)
            outcome = await self._outcome(given)
        host = bindings.of_provider(given.provider)
        yield {**asdict(outcome), "family": given.family, "host": host, "tested_at": clock.text(clock.now())}

    async def _outcome(self, given: ProviderWithKey) -> ProviderTestOutcome:
        try:
            return await self._client.hold(provider_calls.talk(given, clock.now()))
        except Unreachable:
            return ProviderTestOutcome(Result.UNREACHABLE, NO_ANSWER)

    async def _saved(self, snapshot: TenantSnapshot, alias: str) -> ProviderWithKey:
        """Return a saved provider with its key, if one is stored for the server that it names."""
        provider, tenant_id, at = snapshot.settings.providers.get(alias), snapshot.tenant.id, clock.text(clock.now())
        if provider is None:
            raise NotFound(
                "provider.unknown", f"Tenant `{snapshot.tenant.slug}` has no provider `{alias[:63]}`", "zcplatform tenants show lists them"
            )

        def load(tx: Tx) -> tuple[str, str] | None:
            self._deps.secrets.open_boxes(tx, at, tenant_id)
            return self._deps.secrets.get(tx, tenant_id, *row_of(f"providers.{alias}.api_key"))

        stored = await self._deps.database.write(load)
        is_bound = stored is not None and stored[0] == bindings.of_provider(provider)
        return ProviderWithKey(provider, stored[1] if stored and is_bound else None, alias)

    def _unsaved(self, tenant_id: TenantId, alias: str, request: dict[str, Any]) -> ProviderWithKey:
        base_url = require_text(request, "base_url", 500) if request.get("base_url") is not None else None
        given = provider_input.of(require_text(request, "family", 63), require_text(request, "model", 200), base_url, None, alias)
        provider_input.check(given, needs_key=False)
        if request.get("box") is None:
            return given
        binding = SecretBinding(tenant_id, TRIAL, alias, bindings.of_provider(given.provider), "", 0)
        try:
            box = b64decode(require_text(request, "box", LONGEST_BOX), validate=True)
        except ValueError:
            raise BadInput("live.request", "box is not base64") from None
        return ProviderWithKey(given.provider, opening.open_box(self._keys.seal_private, binding, box), alias)
