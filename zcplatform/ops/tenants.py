"""What may be asked of a tenant. Each function runs inside one transaction: check, write what is wanted, an operation, an audit entry."""

import json
from dataclasses import dataclass

from zcplatform.agent import agent_settings
from zcplatform.core.network import capacity
from zcplatform.core.quarantine import reusable_before
from zcplatform.core.roles import Permission, Role
from zcplatform.core.slugs import check as slug_problem
from zcplatform.core.tenant import Request, State, Tenant, Wanted
from zcplatform.errors import BadInput, Conflict
from zcplatform.ids import ImageId, TenantId, new_tenant_id
from zcplatform.ops import access, config, providers, secrets
from zcplatform.ops.context import Actor, Context
from zcplatform.ops.requests import apply_to_running, record_request, require_not_deleting
from zcplatform.store import allocations, audit, events, images, members, operations, plans, revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation


@dataclass(frozen=True)
class Changes:
    """What is to change; None leaves it as it is."""

    name: str | None = None
    plan: str | None = None
    image: str | None = None
    provider: providers.MainProvider | None = None


def get(tx: Tx, id_or_slug: str) -> Tenant:
    return access.find(tx, id_or_slug)


def create(tx: Tx, context: Context, actor: Actor, at: str, slug: str, wish: Changes) -> Tenant:
    problem = slug_problem(slug)
    if problem is not None:
        raise BadInput(
            "tenant.slug_invalid", f"The slug {problem}", "3 to 32 lower-case letters, digits and hyphens", fields={"slug": problem}
        )
    if tenants.find(tx, slug) is not None:
        raise Conflict("tenant.exists", f"There is a tenant `{slug}` already", "choose another slug")
    deleted_at = tenants.slug_released_at(tx, slug, reusable_before("slug", at))
    if deleted_at is not None:
        raise Conflict(
            "tenant.slug_rests", f"A tenant `{slug}` was deleted at {deleted_at}; its address rests 90 days", "choose another slug"
        )
    plan = _plan(tx, wish.plan or "free")
    image_id = _image(tx, wish.image) if wish.image else None
    tenant = _draft(new_tenant_id(), slug, wish.name or slug, plan, image_id, at)
    tenants.insert(tx, tenant)
    if actor.user_id is not None:
        members.put(tx, members.Member(tenant.id, actor.user_id, Role.OWNER, at))
    _first_revision(tx, context, actor, at, tenant, wish.provider)
    events.append(tx, at, "tenant.created", tenant_id=tenant.id, slug=slug, plan=plan)
    audit.append(tx, actor.entry(at, "tenant.create", tenant.id, tenant.id, slug=[None, slug], plan=[None, plan]))
    return tenant


def _first_revision(tx: Tx, context: Context, actor: Actor, at: str, tenant: Tenant, provider: providers.MainProvider | None) -> None:
    settings, given = providers.first(tx, context, tenant, provider)
    revisions.append(tx, revisions.Revision(tenant.id, 1, json.dumps(agent_settings.to_json(settings)), actor.author, "created", at))
    secrets.put(tx, context, tenant.id, settings, given, at)


def change(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str, wish: Changes) -> tuple[Tenant, Operation | None]:
    """A running tenant is brought to the new settings by an operation; others take them when they are started next."""
    tenant = require_not_deleting(tx, id_or_slug)
    _check_rights(actor, wish, at)
    told: dict[str, object] = {}
    wanted: dict[str, object] = {}
    if wish.name is not None and wish.name != tenant.name:
        told["name"] = [tenant.name, wish.name]
        tenant = tenants.rename(tx, tenant, at, wish.name)
    if wish.plan is not None and wish.plan != tenant.plan:
        wanted["plan"] = _plan(tx, wish.plan)
        config.check_plan(tx, tenant, wish.plan)
        told["plan"] = [tenant.plan, wish.plan]
    if wish.image is not None and (image_id := _image(tx, wish.image)) != tenant.image:
        config.check_image(tx, tenant, image_id)
        wanted |= {"image_id": image_id, **tenants.NOT_TRIED}
        told["image"] = [tenant.image, image_id]
    if wish.provider is not None:
        number = providers.save(tx, context, actor, at, tenant, wish.provider)
        wanted |= {} if number is None else {"wanted_revision": number}
    if told:
        audit.append(tx, actor.entry(at, "tenant.change", tenant.id, tenant.id, **told))
    return apply_to_running(tx, actor, tenant, at, **wanted)


def _check_rights(actor: Actor, wish: Changes, at: str) -> None:
    """Each part of a change has a permission of its own; the route's is only that of the weakest."""
    if wish.name is not None or wish.image is not None:
        actor.need(Permission.TENANT_UPDATE)
    if wish.plan is not None:
        actor.need(Permission.TENANT_PLAN)
    if wish.provider is not None:
        actor.need(Permission.CONFIG_WRITE)
        if wish.provider.api_key is not None:
            actor.need(Permission.SECRET_WRITE)
            actor.need_step_up(at)


def deploy(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    return _run(tx, context, actor, at, require_not_deleting(tx, id_or_slug), Request.DEPLOY)


def start(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    return _run(tx, context, actor, at, _deployed(tx, id_or_slug), Request.START)


def stop(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:  # noqa: ARG001
    tenant = _deployed(tx, id_or_slug)
    if tenant.wanted == Wanted.STOPPED and is_stopping(tx, tenant) and not tenant.suspended_runs:
        return tenant, operations.open_of(tx, tenant.id)
    return record_request(
        tx, actor, tenant, at, Request.STOP, wanted=Wanted.STOPPED, suspended_runs=0
    )  # a suspended one stays so when it is resumed


def is_stopping(tx: Tx, tenant: Tenant) -> bool:
    """Whether what was asked last is under way or done; not when it failed."""
    return tenant.seen_generation == tenant.generation or operations.open_of(tx, tenant.id) is not None


def restart(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:  # noqa: ARG001
    tenant = _deployed(tx, id_or_slug)
    _check_not_suspended(tenant)
    if tenant.wanted != Wanted.RUNNING:
        raise Conflict("tenant.stopped", f"Tenant `{tenant.slug}` is stopped", f"POST /api/tenants/{tenant.slug}/start starts it")
    return record_request(tx, actor, tenant, at, Request.RESTART, wanted_epoch=tenant.wanted_epoch + 1)


def delete(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:  # noqa: ARG001
    """One that failed is begun again by asking again."""
    tenant = get(tx, id_or_slug)
    under_way = operations.open_of(tx, tenant.id)
    if tenant.wanted == Wanted.ABSENT and under_way is not None:
        return tenant, under_way
    return record_request(tx, actor, tenant, at, Request.DELETE, wanted=Wanted.ABSENT)


def _run(tx: Tx, context: Context, actor: Actor, at: str, tenant: Tenant, request: Request) -> tuple[Tenant, Operation | None]:
    _check_not_suspended(tenant)
    under_way = operations.open_of(tx, tenant.id)
    if tenant.wanted == Wanted.RUNNING and under_way is not None:
        return tenant, under_way
    if tenant.wanted == Wanted.RUNNING and tenant.state == State.RUNNING:
        return tenant, None
    wanted: dict[str, object] = {"wanted": Wanted.RUNNING}
    image = images.get(tx, tenant.image) if tenant.image else images.default(tx)
    if image is None:
        raise Conflict(
            "image.none", f"There is no agent image to deploy `{tenant.slug}` with", "zcplatform images pull REF, or zcplatform images demo"
        )
    if image.status != "ready":
        raise Conflict("image.not_ready", f"Image `{image.reference}` is {image.status}", "wait for it, or choose another image")
    wanted["image_id"] = image.id
    _check_capacity(tx, context, tenant.id, at)
    return record_request(tx, actor, tenant, at, request, **wanted)


def _check_not_suspended(tenant: Tenant) -> None:
    if tenant.suspended_reason is not None:
        why = f"Tenant `{tenant.slug}` is suspended: {tenant.suspended_reason}"
        raise Conflict("tenant.suspended", why, "who runs this platform can resume it")


def _deployed(tx: Tx, id_or_slug: str) -> Tenant:
    tenant = require_not_deleting(tx, id_or_slug)
    if tenant.wanted == Wanted.DRAFT:
        raise Conflict("tenant.draft", f"Tenant `{tenant.slug}` was never deployed", f"POST /api/tenants/{tenant.slug}/deploy deploys it")
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
        seen_route_port=None,
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
    if plans.get(tx, name) is None:
        known = ", ".join(plan.name for plan in plans.everything(tx))
        raise BadInput("plan.unknown", f"There is no plan `{name}`", f"plans: {known}", fields={"plan": f"one of: {known}"})
    return name


def _image(tx: Tx, id_or_reference: str) -> ImageId:
    image = images.choose(tx, id_or_reference)
    if image is None or image.wanted == "absent":
        raise BadInput("image.unknown", f"There is no image `{id_or_reference}`", "GET /api/images lists them", fields={"image": "unknown"})
    if image.status != "ready":
        raise Conflict("image.not_ready", f"Image `{image.reference}` is {image.status}", "wait for it, or choose another image")
    return image.id


def _check_capacity(tx: Tx, context: Context, tenant_id: TenantId, at: str) -> None:
    """Counted here, so that nobody waits for a number that is not there."""
    if allocations.get(tx, tenant_id) is not None:
        return
    ports, uids = context.settings.port_span, context.settings.uid_span
    subnets = capacity(context.settings.subnet_network)
    for kind, first, last in (("port", ports.first, ports.last), ("uid", uids.first, uids.last), ("subnet", 0, subnets - 1)):
        if allocations.free(tx, kind, first, last, reusable_before(kind, at)) < 1:
            raise Conflict(
                "host.exhausted",
                f"No free {kind} is left on this host (numbers of deleted tenants rest 30 days)",
                f"widen `{kind}s` in the settings file and restart the platform",
            )
