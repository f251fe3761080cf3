"""The test of a provider, saved or about to be: the only time that the platform itself speaks to somebody outside for a tenant.

A saved key goes to no other host than the one it was saved for; a key that is not saved comes in a box that only this process opens, bound
to tenant, name and host. Neither is logged, nor anything of the answer.
"""

from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import asdict, replace
from typing import Any

from zcplatform import clock
from zcplatform.adapters.providers import ProviderClient, Unreachable
from zcplatform.agent import provider_calls, provider_input
from zcplatform.agent.hosts import key_host
from zcplatform.agent.provider_calls import ProviderTestOutcome, Result
from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.agent.providers import Key, family
from zcplatform.agent.secret_slots import address, host_of
from zcplatform.errors import BadInput, NotFound
from zcplatform.ids import TenantId
from zcplatform.store.db import Tx
from zcplatform.vault import opening
from zcplatform.vault.keys import Keys
from zcplatform.vault.sealing import TRIAL, SecretBinding
from zcplatform.worker.deps import Deps
from zcplatform.worker.live_requests import ConcurrencyLimit, load_tenant, require_text
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

NO_ANSWER = "no answer came, or its address is one that agents may not reach"
LONGEST_BOX = 48_000


class ProviderTests:
    def __init__(self, deps: Deps, keys: Keys) -> None:
        self._deps = deps
        self._keys = keys
        self._providers = ProviderClient(deps.settings.allowed_hosts, deps.settings.domain)
        self._turns = ConcurrencyLimit(each=1, altogether=4)

    async def run(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        snapshot = load_tenant(self._deps, request, with_drafts=True)
        alias = require_text(request, "alias", 63)
        with self._turns.taken(snapshot.tenant.id):
            provider = self._unsaved(snapshot.tenant.id, alias, request) if "family" in request else await self._saved(snapshot, alias)
            verdict = await self._verdict(provider)
        host = key_host(provider.family, provider.uri)
        yield {**asdict(verdict), "family": provider.family, "host": host, "tested_at": clock.text(clock.now())}

    async def _verdict(self, provider: ProviderWithKey) -> ProviderTestOutcome:
        try:
            return await self._providers.hold(provider_calls.talk(provider, clock.now()))
        except Unreachable:
            return ProviderTestOutcome(Result.UNREACHABLE, NO_ANSWER)

    async def _saved(self, snapshot: TenantSnapshot, alias: str) -> ProviderWithKey:
        entry = snapshot.settings.providers.get(alias)
        if entry is None:
            raise NotFound(
                "provider.unknown", f"Tenant `{snapshot.tenant.slug}` has no provider `{alias[:63]}`", "zcplatform tenants show lists it"
            )
        tenant_id, at = snapshot.tenant.id, clock.text(clock.now())
        # Where the agent goes, by a choice of site too; the usual address is the family's own affair.
        uri = address(entry)
        provider = ProviderWithKey(entry.family, entry.model, None if uri == family(entry.family).default_uri else uri, None, alias)

        def load(tx: Tx) -> tuple[str, str] | None:
            self._deps.secrets.open_boxes(tx, at, tenant_id)
            return self._deps.secrets.get(tx, tenant_id, "provider", alias)

        found = await self._deps.database.write(load)
        if found is None or found[0] != host_of(entry):
            return provider
        return replace(provider, api_key=found[1])

    def _unsaved(self, tenant_id: TenantId, alias: str, request: dict[str, Any]) -> ProviderWithKey:
        uri = require_text(request, "base_url", 500) if request.get("base_url") is not None else None
        provider = ProviderWithKey(require_text(request, "family", 63), require_text(request, "model", 200), uri, None, alias)
        provider_input.check(replace(provider, api_key=None if family(provider.family).key is Key.NONE else "unknown"))
        if request.get("box") is None:
            return provider
        binding = SecretBinding(tenant_id, TRIAL, alias, key_host(provider.family, uri), "", 0)
        try:
            box = b64decode(require_text(request, "box", LONGEST_BOX), validate=True)
        except ValueError:
            raise BadInput("live.request", "box is not base64") from None
        return replace(provider, api_key=opening.open_box(self._keys.seal_private, binding, box))
