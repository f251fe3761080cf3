"""Everything the database says about one tenant, loaded in one snapshot and distrusted: the web process can write rows."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from zcplatform import bounded_json
from zcplatform.agent import agent_settings, policy
from zcplatform.agent.policy import Policy
from zcplatform.agent.providers import Price
from zcplatform.core.container import CONFIG_NAME, ContainerSpec, create_body
from zcplatform.core.network import address, capacity
from zcplatform.core.slugs import check as slug_problem
from zcplatform.core.tenant import Tenant
from zcplatform.errors import BadInput, StepFailed
from zcplatform.ids import LABEL_SPEC, Names, TenantId, is_id
from zcplatform.settings import Settings
from zcplatform.store import allocations, images, operations, plans, revisions, tenants
from zcplatform.store.allocations import Allocation
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.store.plans import Plan


class Superseded(Exception):
    """Somebody wants something else by now; what was begun is left to the next round."""


@dataclass(frozen=True)
class TenantSnapshot:
    tenant: Tenant
    allocation: Allocation | None
    plan: Plan
    image: Image | None
    settings: agent_settings.AgentSettings
    """Without any secret: those are opened only for rendering."""
    operation: Operation | None
    """The open one, if it is for the wanted generation."""
    prices: Mapping[str, Price]
    """The operator's."""
    spec_hashes: dict[str, str] = field(default_factory=dict, init=False, compare=False, repr=False)
    """Worked out of the rest once, under the name of the container; see `is_current`."""

    @property
    def port(self) -> int:
        return self.require_allocation().port

    def require_allocation(self) -> Allocation:
        if self.allocation is None:
            raise StepFailed("tenant.not_allocated", f"Tenant `{self.tenant.slug}` has no port, uid and subnet yet")
        return self.allocation

    @property
    def policy(self) -> Policy:
        return Policy(**self.plan.ceilings(), prices=self.prices)

    @functools.cached_property
    def config_mark(self) -> str:
        """What the configuration depends on besides its mount: the plan's ceilings and the prices of its own models, and the revision at the end."""
        ceilings = self.policy
        prices = [
            policy.price(one.family, model, ceilings)
            for one in self.settings.providers.values()
            for model in (one.model, *one.fallback_models)
        ]
        told = repr((sorted(self.plan.ceilings().items()), prices))
        return f"{hashlib.sha256(told.encode()).hexdigest()[:8]}.{self.tenant.revision}"


def load(tx: Tx, settings: Settings, tenant_id: TenantId) -> TenantSnapshot | None:
    """None when there is no such tenant any more. Raises StepFailed for a row that no request could have written."""
    tenant = tenants.get(tx, tenant_id)
    if tenant is None or tenant.deleted_at is not None:
        return None
    allocation = allocations.get(tx, tenant_id)
    plan = plans.get(tx, tenant.plan)
    problem = _problem(settings, tenant, allocation)
    if problem is not None or plan is None:
        raise StepFailed("tenant.invalid", f"The database says about tenant {tenant_id} what can not be: {problem or 'no such plan'}")
    revision = revisions.get(tx, tenant_id, tenant.revision)
    wanted = _settings(tenant, revision.settings) if revision else agent_settings.AgentSettings()
    operation = operations.open_of(tx, tenant_id)
    if operation is not None and operation.generation != tenant.generation:
        operation = None
    image = images.get(tx, tenant.image) if tenant.image else None
    return TenantSnapshot(
        tenant, allocation, plan, image, wanted, operation, {name: Price(**one.model_dump()) for name, one in settings.model_prices.items()}
    )


def with_revision(tx: Tx, snapshot: TenantSnapshot, number: int) -> TenantSnapshot | None:
    """The same with another revision's settings; None when there is no such revision."""
    revision = revisions.get(tx, snapshot.tenant.id, number)
    return None if revision is None else replace(snapshot, settings=_settings(snapshot.tenant, revision.settings))


def _settings(tenant: Tenant, text: str) -> agent_settings.AgentSettings:
    try:
        return _parsed(text)
    except (ValueError, RecursionError, BadInput) as error:
        raise StepFailed("tenant.invalid", f"The database says about the settings of `{tenant.slug}` what can not be: {error}") from None


@functools.lru_cache(maxsize=512)
def _parsed(text: str) -> agent_settings.AgentSettings:
    """Every look at all tenants comes by here, and settings seldom change."""
    sent = bounded_json.loads(text)
    if not isinstance(sent, dict):
        raise ValueError("it is no object")
    return agent_settings.parse(sent)


def _problem(settings: Settings, tenant: Tenant, allocation: Allocation | None) -> str | None:
    if not is_id(tenant.id):
        return "its id is not one of ours"
    if slug_problem(tenant.slug) is not None:
        return "its slug is not a slug"
    if allocation is None or tenant.effective_wanted != "running":
        return None  # one that only goes is let go, also after the ranges were narrowed
    subnets = capacity(settings.subnet_network)
    if allocation.port not in settings.port_span or allocation.uid not in settings.uid_span or not 0 <= allocation.subnet < subnets:
        return "its port, uid or subnet is outside the configured ranges"
    return None


def spec(settings: Settings, snapshot: TenantSnapshot, config_root: Path | None = None) -> ContainerSpec:
    """What the tenant's container has to be. `config_root` is where its configuration is mounted, if not in the usual place."""
    allocation = snapshot.require_allocation()
    if snapshot.image is None or snapshot.image.image_id is None:
        raise StepFailed("image.missing", f"Tenant `{snapshot.tenant.slug}` has no image that is ready", "zcplatform images list")
    return ContainerSpec(
        tenant_id=snapshot.tenant.id,
        slug=snapshot.tenant.slug,
        generation=snapshot.tenant.generation,
        epoch=snapshot.tenant.wanted_epoch,
        image_id=snapshot.image.image_id,
        uid=allocation.uid,
        port=allocation.port,
        memory_bytes=snapshot.plan.memory_bytes,
        cpu_millis=snapshot.plan.cpu_millis,
        pids=snapshot.plan.pids,
        config_dir=str((config_root or settings.config_dir) / snapshot.tenant.slug / CONFIG_NAME),
        workspace_dir=str(settings.tenants_dir / snapshot.tenant.slug),
        resolvers=tuple(settings.resolvers),
        environment=policy.environment(snapshot.settings, snapshot.policy),
        address=address(allocation.subnet, settings.subnet_network),
    )


def body(settings: Settings, names: Names, snapshot: TenantSnapshot) -> dict[str, Any]:
    try:
        return create_body(names, spec(settings, snapshot))
    except ValueError as error:
        raise StepFailed("tenant.invalid", f"Tenant `{snapshot.tenant.slug}` can not have such a container: {error}") from None


def is_current(settings: Settings, names: Names, snapshot: TenantSnapshot, labels: dict[str, str]) -> bool:
    """Whether a container with these labels is the one that would be made now."""
    if snapshot.allocation is None or snapshot.image is None or snapshot.image.image_id is None:
        return False
    name = names.container(snapshot.tenant.slug)
    if name not in snapshot.spec_hashes:
        snapshot.spec_hashes[name] = body(settings, names, snapshot)["Labels"][LABEL_SPEC]
    return labels.get(LABEL_SPEC) == snapshot.spec_hashes[name]
