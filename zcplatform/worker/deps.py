"""What the loops act with: the adapters, the database and the vault, made once by the composition root."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from zcplatform.adapters.caddy import Caddy
from zcplatform.adapters.gateway import Gateway
from zcplatform.core.redaction import Redactor
from zcplatform.engines.docker.client import Docker
from zcplatform.ids import Names, TenantId
from zcplatform.settings import Settings
from zcplatform.store.db import Database, ReadCache
from zcplatform.worker.edge import EdgeLoop
from zcplatform.worker.firewall import FirewallLoop
from zcplatform.worker.metrics import Metrics
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, load
from zcplatform.worker.secrets import Secrets

LOOKS_AT_ONCE = 8


@dataclass(frozen=True)
class Deps:
    settings: Settings
    names: Names
    database: Database
    secrets: Secrets
    docker: Docker
    gateway: Gateway
    caddy: Caddy
    edge: EdgeLoop
    firewall: FirewallLoop
    metrics: Metrics
    engine_slots: asyncio.Semaphore
    """How many tenants may be worked on at once as far as the engine is concerned."""
    kept: ReadCache
    inspect_slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LOOKS_AT_ONCE))
    """How many are looked at closely at once, when all are woken: each takes connections to the engine, and its answers are long."""
    active_checks: set[str] = field(default_factory=set)
    """Names of the containers that check a configuration just now; others of that kind are left over."""
    unsupported_limits: dict[tuple[TenantId, str], Any] = field(default_factory=dict)
    """Limits that the engine of this host does not keep (no swap is counted, say), and what it tells instead."""

    def redactor(self, tenant_id: TenantId) -> Redactor:
        """Cleans every word of a tenant's agent before it is stored, shown or logged."""
        return self.database.read(lambda tx: self.secrets.redactor(tx, tenant_id))

    def snapshot(self, tenant_id: TenantId) -> TenantSnapshot | None:
        """As `load`, for those who only look: kept while nobody writes."""
        return self.kept.get(tenant_id, lambda tx: load(tx, self.settings, tenant_id))
