"""Load a tenant's rows as one consistent, validated snapshot. The web process can write rows, so none is trusted.

Only id and slug are needed to stop, suspend or delete a tenant. Everything else is validated when it is used: an invalid plan, revision or image
prevents a start, never a stop.
"""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from zcplatform import bounded_json
from zcplatform.agent import agent_settings, policy, runtime
from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.policy import Policy
from zcplatform.agent.providers import Price
from zcplatform.core.network import capacity
from zcplatform.core.slugs import check as slug_problem
from zcplatform.core.tenant import Tenant
from zcplatform.core.workload import MOST_RESOLVERS, TenantRef, Workload
from zcplatform.errors import BadInput, StepFailed
from zcplatform.ids import TenantId, is_id
from zcplatform.settings import Settings
from zcplatform.store import allocations, images, operations, plans, revisions, tenants
from zcplatform.store.allocations import Allocation
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.store.plans import Plan


class Superseded(Exception):
    """The desired state changed meanwhile. Unfinished work is left to the next round."""


@dataclass(frozen=True)
class TenantSnapshot:
    tenant: Tenant
    allocation: Allocation | None
    stored_plan: Plan | None
    image: Image | None
    settings_text: str
    operation: Operation | None
    """The open operation, if it is for the wanted generation."""
    prices: Mapping[str, Price]
    """The operator's."""
    installation: Settings

    @property
    def ref(self) -> TenantRef:
        return TenantRef(self.tenant.id, self.tenant.slug)

    def require_allocation(self) -> Allocation:
        if self.allocation is None:
            raise StepFailed("tenant.not_allocated", f"Tenant `{self.tenant.slug}` has no port, uid and subnet yet")
        return self.allocation

    @property
    def plan(self) -> Plan:
        if self.stored_plan is None:
            raise _invalid(f"tenant `{self.tenant.slug}`", "no such plan")
        return self.stored_plan

    @functools.cached_property
    def settings(self) -> AgentSettings:
        """Without any secret: those are opened only for rendering. Raises StepFailed for settings that no request could have saved."""
        try:
            return _parsed(self.settings_text)
        except (ValueError, RecursionError, BadInput) as error:
            raise _invalid(f"the settings of `{self.tenant.slug}`", str(error)) from None

    @property
    def policy(self) -> Policy:
        return Policy(**self.plan.ceilings(), prices=self.prices)

    @functools.cached_property
    def config_mark(self) -> str:
        """Identifies what the configuration depends on besides its mount: the plan's limits, the prices of its models, and finally the revision."""
        ceilings = self.policy
        prices = [
            policy.price(one.family, model, ceilings)
            for one in self.settings.providers.values()
            for model in (one.model, *one.fallback_models)
        ]
        text = repr((sorted(self.plan.ceilings().items()), prices))
        return f"{hashlib.sha256(text.encode()).hexdigest()[:8]}.{self.tenant.revision}"

    @functools.cached_property
    def workload(self) -> Workload:
        """Return the desired workload. Raises StepFailed: `image.missing`, `tenant.not_allocated`, `tenant.invalid`."""
        allocation = self.require_allocation()
        if self.image is None or self.image.image_id is None:
            raise StepFailed("image.missing", f"Tenant `{self.tenant.slug}` has no image that is ready", "zcplatform images list")
        return Workload(
            tenant=self.ref,
            node_id=self.tenant.node_id,
            generation=self.tenant.generation,
            epoch=self.tenant.wanted_epoch,
            image_id=self.image.image_id,
            uid=allocation.uid,
            port=allocation.port,
            subnet=allocation.subnet,
            memory_bytes=self.plan.memory_bytes,
            cpu_millis=self.plan.cpu_millis,
            pids=self.plan.pids,
            resolvers=tuple(self.installation.resolvers[:MOST_RESOLVERS]),
            program=runtime.PROGRAM,
            environment=policy.environment(self.settings, self.policy),
        )


def load(tx: Tx, settings: Settings, tenant_id: TenantId) -> TenantSnapshot | None:
    """Load a tenant, or None if it does not exist any more. Raises StepFailed for a row that no request could have written."""
    tenant = tenants.get(tx, tenant_id)
    if tenant is None or tenant.deleted_at is not None:
        return None
    allocation = allocations.get(tx, tenant_id)
    problem = _problem(settings, tenant, allocation)
    if problem is not None:
        raise _invalid(f"tenant {tenant_id}", problem)
    revision = revisions.get(tx, tenant_id, tenant.revision)
    operation = operations.open_of(tx, tenant_id)
    if operation is not None and operation.generation != tenant.generation:
        operation = None
    return TenantSnapshot(
        tenant=tenant,
        allocation=allocation,
        stored_plan=plans.get(tx, tenant.plan),
        image=images.get(tx, tenant.image) if tenant.image else None,
        settings_text=revision.settings if revision else "{}",
        operation=operation,
        prices={name: Price(**one.model_dump()) for name, one in settings.model_prices.items()},
        installation=settings,
    )


def with_revision(tx: Tx, snapshot: TenantSnapshot, number: int) -> TenantSnapshot | None:
    """Return the snapshot with another revision's settings, or None if there is no such revision."""
    revision = revisions.get(tx, snapshot.tenant.id, number)
    return None if revision is None else replace(snapshot, settings_text=revision.settings)


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> AgentSettings:
    """Parse settings. Cached, because every observation of all tenants needs them, and they seldom change."""
    sent = bounded_json.loads(text)
    if not isinstance(sent, dict):
        raise ValueError("it is not an object")
    return agent_settings.parse(sent)


def _problem(settings: Settings, tenant: Tenant, allocation: Allocation | None) -> str | None:
    if not is_id(tenant.id):
        return "its id is not one of this platform's"
    if slug_problem(tenant.slug) is not None:
        return "its slug is not a slug"
    if allocation is None or tenant.effective_wanted != "running":
        return None  # a tenant to be removed may have numbers outside the ranges, after these were narrowed
    subnets = capacity(settings.subnet_network)
    if allocation.port not in settings.port_span or allocation.uid not in settings.uid_span or not 0 <= allocation.subnet < subnets:
        return "its port, uid or subnet is outside the configured ranges"
    return None


def _invalid(subject: str, problem: str) -> StepFailed:
    return StepFailed("tenant.invalid", f"The database holds invalid data for {subject}: {problem}", "zcplatform admin audit")
