"""Tenants: create, change, deploy, start, stop, restart and delete them.

Each function runs in one transaction: it checks, writes the desired state, an operation and an audit entry.
"""

import json
from dataclasses import dataclass
from typing import Any

from zcplatform.agent import agent_settings
from zcplatform.core.holds import HoldKind
from zcplatform.core.network import capacity
from zcplatform.core.quarantine import reusable_before
from zcplatform.core.roles import Permission, Role
from zcplatform.core.slugs import check as slug_problem
from zcplatform.core.tenant import Request, State, Tenant, Wanted
from zcplatform.errors import BadInput, Conflict
from zcplatform.ids import ImageId, TenantId, new_tenant_id
from zcplatform.ops import access, config, images, providers, secrets, views
from zcplatform.ops.context import Call
from zcplatform.ops.host_capacity import require_fits
from zcplatform.ops.requests import apply_to_running, record_request, require_not_deleting
from zcplatform.ops.views import TenantView
from zcplatform.store import allocations, members, operations, plans, revisions, tenants
from zcplatform.store import images as image_rows
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation
from zcplatform.store.tenants import SORTS as SORTS
from zcplatform.store.tenants import TenantFilter as TenantFilter

Order = tuple[str, bool, tuple[Any, str] | None]
"""A column, whether to descend, and value and id of the last row of the previous page."""

HELD_BY = {
    HoldKind.SUSPENDED: ("tenant.suspended", "suspended", "the operator of this platform can resume it"),
    HoldKind.QUOTA: ("tenant.over_quota", "over its quota", "wait until the quota is renewed, or ask the operator for a larger plan"),
}
"""Code, state and hint of a request to run a tenant that is held."""


@dataclass(frozen=True)
class Changes:
    """What changes; None leaves it as it is."""

    name: str | None = None
    plan: str | None = None
    image: str | None = None
    provider: providers.MainProvider | None = None


def get(tx: Tx, id_or_slug: str) -> Tenant:
    return access.find(tx, id_or_slug)


def show(call: Call, id_or_slug: str) -> TenantView:
    return views.tenant(call.tx, get(call.tx, id_or_slug))


def list_tenants(call: Call, wanted: TenantFilter, order: Order, limit: int) -> tuple[list[TenantView], int]:
    """A page of the tenants that the caller may see, and how many match."""
    rows = tenants.page(call.tx, call.actor.visibility, wanted, order, limit)
    return views.tenants(call.tx, rows), tenants.count(call.tx, call.actor.visibility, wanted)


def count_by_state(tx: Tx) -> dict[str, int]:
    return tenants.count_by_state(tx)


def has_route(tx: Tx, slug: str) -> bool:
    """Whether this tenant's host name may get a certificate: if it runs, or is stopped and shows a page."""
    tenant = tenants.find(tx, slug)
    return tenant is not None and tenant.slug == slug and tenant.wanted in (Wanted.RUNNING, Wanted.STOPPED)


def create(call: Call, slug: str, new: Changes) -> Tenant:
    problem = slug_problem(slug)
    if problem is not None:
        raise BadInput(
            "tenant.slug_invalid", f"The slug {problem}", "3 to 32 lower-case letters, digits and hyphens", fields={"slug": problem}
        )
    if tenants.find(call.tx, slug) is not None:
        raise Conflict("tenant.exists", f"There is already a tenant `{slug}`", "choose another slug")
    deleted_at = tenants.slug_released_at(call.tx, slug, reusable_before("slug", call.at))
    if deleted_at is not None:
        raise Conflict(
            "tenant.slug_quarantined",
            f"A tenant `{slug}` was deleted at {deleted_at}; its slug may be used again after 90 days",
            "choose another slug",
        )
    plan = _plan(call.tx, new.plan or "free")
    image_id = images.chosen(call.tx, new.image).id if new.image else None
    tenant = _draft(new_tenant_id(), slug, new.name or slug, plan, image_id, call.at)
    tenants.insert(call.tx, tenant)
    if call.actor.user_id is not None:
        members.put(call.tx, members.Member(tenant.id, call.actor.user_id, Role.OWNER, call.at))
    _save_first_revision(call, tenant, new.provider)
    call.emit("tenant.created", tenant_id=tenant.id, slug=slug, plan=plan)
    call.record("tenant.create", tenant.id, tenant.id, slug=[None, slug], plan=[None, plan])
    return tenant


def _save_first_revision(call: Call, tenant: Tenant, provider: providers.MainProvider | None) -> None:
    settings, given = providers.first(call, tenant, provider)
    text = json.dumps(agent_settings.to_json(settings))
    revisions.append(call.tx, revisions.Revision(tenant.id, 1, text, call.actor.author, "created", call.at))
    secrets.put(call, tenant.id, settings, given)


def change(call: Call, id_or_slug: str, wanted: Changes) -> tuple[Tenant, Operation | None]:
    """Change a tenant. An operation applies the change to a running one; others use it at their next start."""
    tenant = require_not_deleting(call.tx, id_or_slug)
    call = _require_rights(call, wanted)
    noted: dict[str, object] = {}
    applied: dict[str, object] = {}
    if wanted.name is not None and wanted.name != tenant.name:
        noted["name"] = [tenant.name, wanted.name]
        tenant = tenants.rename(call.tx, tenant, call.at, wanted.name)
    if wanted.plan is not None and wanted.plan != tenant.plan:
        applied["plan"] = _plan(call.tx, wanted.plan)
        config.check_plan(call.tx, tenant, wanted.plan)
        noted["plan"] = [tenant.plan, wanted.plan]
    if wanted.image is not None and (image_id := images.chosen(call.tx, wanted.image).id) != tenant.image:
        config.check_image(call.tx, tenant, image_id)
        applied |= {"image_id": image_id, **tenants.NOT_TRIED}
        noted["image"] = [tenant.image, image_id]
    if wanted.provider is not None:
        call, number = providers.save(call, tenant, wanted.provider)
        applied |= {} if number is None else {"wanted_revision": number}
    if noted:
        call.record("tenant.change", tenant.id, tenant.id, **noted)
    return apply_to_running(call, tenant, **applied)


def _require_rights(call: Call, wanted: Changes) -> Call:
    """Each part of a change has a permission of its own; the route requires only the weakest."""
    if wanted.name is not None or wanted.image is not None:
        call = call.requiring(Permission.TENANT_UPDATE)
    if wanted.plan is not None:
        call = call.requiring(Permission.TENANT_PLAN)
    if wanted.provider is not None:
        call = call.requiring(Permission.CONFIG_WRITE)
        if wanted.provider.api_key is not None:
            call = call.requiring(Permission.SECRET_WRITE)
            call.actor.need_step_up(call.at)
    return call


def deploy(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    return _run(call, require_not_deleting(call.tx, id_or_slug), Request.DEPLOY)


def start(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    return _run(call, _deployed(call.tx, id_or_slug), Request.START)


def stop(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    tenant = _deployed(call.tx, id_or_slug)
    if tenant.wanted == Wanted.STOPPED and is_stopping(call.tx, tenant):
        return tenant, operations.open_of(call.tx, tenant.id)
    return record_request(call, tenant, Request.STOP, wanted=Wanted.STOPPED)


def is_stopping(tx: Tx, tenant: Tenant) -> bool:
    """Whether the last request is in progress or has succeeded."""
    return tenant.seen_generation == tenant.generation or operations.open_of(tx, tenant.id) is not None


def restart(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    tenant = _deployed(call.tx, id_or_slug)
    _require_not_held(tenant)
    if tenant.wanted != Wanted.RUNNING:
        raise Conflict("tenant.stopped", f"Tenant `{tenant.slug}` is stopped", f"POST /api/tenants/{tenant.slug}/start starts it")
    return record_request(call, tenant, Request.RESTART, wanted_epoch=tenant.wanted_epoch + 1)


def delete(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """Delete a tenant. Calling it again retries a deletion that failed."""
    tenant = get(call.tx, id_or_slug)
    under_way = operations.open_of(call.tx, tenant.id)
    if tenant.wanted == Wanted.ABSENT and under_way is not None:
        return tenant, under_way
    return record_request(call, tenant, Request.DELETE, wanted=Wanted.ABSENT)


def _run(call: Call, tenant: Tenant, request: Request) -> tuple[Tenant, Operation | None]:
    _require_not_held(tenant)
    under_way = operations.open_of(call.tx, tenant.id)
    if tenant.wanted == Wanted.RUNNING and under_way is not None:
        return tenant, under_way
    if tenant.wanted == Wanted.RUNNING and tenant.state == State.RUNNING:
        return tenant, None
    return run(call, tenant, request)


def run(call: Call, tenant: Tenant, request: Request) -> tuple[Tenant, Operation]:
    """Raises Conflict if no image is ready, or if the host has no free port, uid or subnet."""
    image = image_rows.get(call.tx, tenant.image) if tenant.image else image_rows.default(call.tx)
    if image is None:
        raise Conflict(
            "image.none", f"There is no agent image to deploy `{tenant.slug}` with", "zcplatform images pull REF, or zcplatform images demo"
        )
    if tenant.image is None or image.status != "lost":  # one that was lost may be back: the worker looks for it
        images.require_ready(image)
    _require_capacity(call, tenant.id)
    return record_request(call, tenant, request, wanted=Wanted.RUNNING, image_id=image.id)


def _require_not_held(tenant: Tenant) -> None:
    for hold in tenant.holds:
        code, state, hint = HELD_BY[hold.kind]
        raise Conflict(code, f"Tenant `{tenant.slug}` is {state}: {hold.reason}", hint)


def _deployed(tx: Tx, id_or_slug: str) -> Tenant:
    tenant = require_not_deleting(tx, id_or_slug)
    if tenant.wanted == Wanted.DRAFT:
        raise Conflict(
            "tenant.draft", f"Tenant `{tenant.slug}` has not been deployed yet", f"POST /api/tenants/{tenant.slug}/deploy deploys it"
        )
    return tenant


def _draft(tenant_id: TenantId, slug: str, name: str, plan: str, image_id: ImageId | None, at: str) -> Tenant:
    return Tenant(
        id=tenant_id,
        slug=slug,
        name=name,
        plan=plan,
        image_id=image_id,
        wanted=Wanted.DRAFT,
        last_request=Request.CREATE,
        wanted_revision=1,
        wanted_epoch=0,
        generation=1,
        seen_generation=0,
        seen_container="absent",
        seen_config=None,
        seen_healthy=0,
        seen_healthy_at=None,
        seen_upstream=None,
        seen_verified=0,
        seen_probe_failures=0,
        failures=0,
        error_code=None,
        error_detail=None,
        error_hint=None,
        next_attempt_at=None,
        state=State.DRAFT,
        reason="created, not deployed yet",
        created_at=at,
        updated_at=at,
        deleted_at=None,
    )


def _plan(tx: Tx, name: str) -> str:
    plan = plans.get(tx, name)
    if plan is None:
        known = ", ".join(plan.name for plan in plans.everything(tx))
        raise BadInput("plan.unknown", f"There is no plan `{name}`", f"plans: {known}", fields={"plan": f"one of: {known}"})
    require_fits(plan)
    return name


def _require_capacity(call: Call, tenant_id: TenantId) -> None:
    """Raises Conflict if no port, uid or subnet is free. Otherwise the operation would wait for one."""
    if allocations.get(call.tx, tenant_id) is not None:
        return
    ports, uids = call.context.settings.port_span, call.context.settings.uid_span
    subnets = capacity(call.context.settings.subnet_network)
    for kind, span in (("port", (ports.first, ports.last)), ("uid", (uids.first, uids.last)), ("subnet", (0, subnets - 1))):
        if allocations.free(call.tx, kind, span, call.at, reusable_before(kind, call.at)) < 1:
            raise Conflict(
                "host.exhausted",
                f"No free {kind} is left on this host (numbers of deleted tenants may be reused after 30 days)",
                f"widen `{kind}s` in the settings file and restart the platform",
            )
