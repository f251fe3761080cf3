"""The collaborators of the worker's loops, created once by the composition root."""

import asyncio
from dataclasses import dataclass, field

from zcplatform.adapters.caddy import Caddy
from zcplatform.adapters.gateway import Gateway
from zcplatform.core.redaction import Redactor
from zcplatform.core.tenant import Wanted
from zcplatform.engines.protocol import Engine, Place
from zcplatform.errors import StepFailed
from zcplatform.ids import LOCAL, Names, TenantId
from zcplatform.settings import Settings
from zcplatform.store.db import Database, ReadCache
from zcplatform.worker.boosts import Boosts
from zcplatform.worker.edge import EdgeLoop
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, load
from zcplatform.worker.secrets import Secrets
from zcplatform.worker.upstreams import Upstreams

LOOKS_AT_ONCE = 8


@dataclass(frozen=True)
class Deps:
    settings: Settings
    names: Names
    database: Database
    secrets: Secrets
    engine: Engine
    gateway: Gateway
    caddy: Caddy
    edge: EdgeLoop
    upstreams: Upstreams
    metrics: Metrics
    engine_slots: asyncio.Semaphore
    """Limits how many tenants load the engine at once."""
    cache: ReadCache
    inspect_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS_AT_ONCE))
    """Limits how many tenants are inspected at once when all are woken."""

    boosts: Boosts = field(default_factory=Boosts)
    """Agents that currently have more processor time than their plan allows, because they start."""

    def redactor(self, tenant_id: TenantId) -> Redactor:
        """Return the redactor for everything that a tenant's agent prints or answers, before it is stored, shown or logged."""
        return self.database.read(lambda tx: self.secrets.redactor(tx, tenant_id))

    def snapshot(self, tenant_id: TenantId) -> TenantSnapshot | None:
        """Load a snapshot for reading only. It is cached until the database changes."""
        return self.cache.get(tenant_id, lambda tx: load(tx, self.settings, tenant_id))

    def place(self, snapshot: TenantSnapshot) -> Place:
        """Return the place of a tenant. Raises StepFailed for a machine that this installation does not have.

        That prevents only a start. To stop or remove such a tenant, the local machine is used.
        """
        try:
            return self.engine.place(snapshot.tenant.node_id)
        except StepFailed:
            if snapshot.tenant.effective_wanted in (Wanted.STOPPED, Wanted.ABSENT):
                return self.engine.place(LOCAL)
            raise
