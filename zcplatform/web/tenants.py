"""/api/tenants"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.core.tenant import Tenant
from zcplatform.ops import context as ops
from zcplatform.ops import providers, suspension
from zcplatform.ops import tenants as asking
from zcplatform.ops.context import Actor, Answer, Context, RetryKey
from zcplatform.store import operations as operation_rows
from zcplatform.store import tenants as tenant_rows
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation
from zcplatform.web import render, shapes
from zcplatform.web.actor import ContextOf, RetryKeyOf, needs

router = APIRouter(prefix="/api/tenants", tags=["tenants"])
ASKED: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Tenant, "description": "Nothing has to happen"},
    202: {"model": shapes.Operation, "description": "Accepted: the operation tells how it goes"},
}
Limit = Annotated[int, Query(ge=1, le=200)]


def as_json(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {"Cache-Control": "no-store"}, "application/json")


def _provider(sent: shapes.ProviderInput | None) -> providers.MainProvider | None:
    if sent is None:
        return None
    key = sent.api_key.get_secret_value() if sent.api_key else None
    return providers.MainProvider(sent.family, sent.model, sent.base_url, key)


def answer(tx: Tx, context: Context, row: Tenant, operation: Operation | None) -> Answer:
    if operation is None:
        return Answer(200, render.tenant(tx, context.settings, row).model_dump_json(), row.id)
    return Answer(202, render.operation(tx, operation).model_dump_json(), row.id)


@router.post("", status_code=201, response_model=shapes.Tenant)
async def create(
    sent: shapes.TenantInput, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_CREATE)], retry: RetryKeyOf
) -> Response:
    wish = asking.Changes(sent.name, sent.plan, sent.image, _provider(sent.provider))

    def act(tx: Tx, at: str) -> Answer:
        row = asking.create(tx, context, actor, at, sent.slug, wish)
        return Answer(201, render.tenant(tx, context.settings, row).model_dump_json(), row.id)

    return as_json(await ops.change(context, actor, retry, act))


@router.get("", response_model=shapes.Tenants)
async def listing(
    context: ContextOf,
    actor: Annotated[Actor, needs(Permission.TENANT_READ)],
    cursor: Annotated[str, Query(max_length=64)] = "",
    limit: Limit = 100,
) -> shapes.Tenants:
    def load(tx: Tx) -> shapes.Tenants:
        rows = tenant_rows.page(tx, actor.visibility, cursor, limit)
        return shapes.Tenants(
            items=[render.tenant(tx, context.settings, row) for row in rows], next_cursor=rows[-1].slug if len(rows) == limit else None
        )

    return context.database.read(load)


@router.get("/{tenant}", response_model=shapes.Tenant)
async def show(tenant: str, context: ContextOf, _: Annotated[Actor, needs(Permission.TENANT_READ)]) -> shapes.Tenant:
    return context.database.read(lambda tx: render.tenant(tx, context.settings, asking.get(tx, tenant)))


@router.patch("/{tenant}", responses=ASKED)
async def change(
    tenant: str, sent: shapes.TenantChange, context: ContextOf, actor: Annotated[Actor, needs(Permission.CONFIG_WRITE)], retry: RetryKeyOf
) -> Response:
    wish = asking.Changes(sent.name, sent.plan, sent.image, _provider(sent.provider))
    return as_json(
        await ops.change(context, actor, retry, lambda tx, at: answer(tx, context, *asking.change(tx, context, actor, at, tenant, wish)))
    )


Ask = Callable[[Tx, Context, Actor, str, str], tuple[Tenant, Operation | None]]


async def _ask(function: Ask, tenant: str, context: Context, actor: Actor, retry: RetryKey) -> Response:
    return as_json(await ops.change(context, actor, retry, lambda tx, at: answer(tx, context, *function(tx, context, actor, at, tenant))))


@router.delete("/{tenant}", responses=ASKED, status_code=202)
async def delete(
    tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_DELETE, step_up=True)], retry: RetryKeyOf
) -> Response:
    return await _ask(asking.delete, tenant, context, actor, retry)


@router.post("/{tenant}/deploy", responses=ASKED, status_code=202)
async def deploy(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_DEPLOY)], retry: RetryKeyOf) -> Response:
    return await _ask(asking.deploy, tenant, context, actor, retry)


@router.post("/{tenant}/start", responses=ASKED, status_code=202)
async def start(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_DEPLOY)], retry: RetryKeyOf) -> Response:
    return await _ask(asking.start, tenant, context, actor, retry)


@router.post("/{tenant}/stop", responses=ASKED, status_code=202)
async def stop(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_DEPLOY)], retry: RetryKeyOf) -> Response:
    return await _ask(asking.stop, tenant, context, actor, retry)


@router.post("/{tenant}/restart", responses=ASKED, status_code=202)
async def restart(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_DEPLOY)], retry: RetryKeyOf) -> Response:
    return await _ask(asking.restart, tenant, context, actor, retry)


@router.post("/{tenant}/suspend", responses=ASKED, status_code=202)
async def suspend(
    tenant: str, sent: shapes.Suspension, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_SUSPEND)], retry: RetryKeyOf
) -> Response:
    """Stop it, and keep everybody in it from starting it again."""

    def act(tx: Tx, at: str) -> Answer:
        return answer(tx, context, *suspension.suspend(tx, actor, at, tenant, sent.reason))

    return as_json(await ops.change(context, actor, retry, act))


@router.post("/{tenant}/resume", responses=ASKED, status_code=202)
async def resume(tenant: str, context: ContextOf, actor: Annotated[Actor, needs(Permission.TENANT_SUSPEND)], retry: RetryKeyOf) -> Response:
    """End the suspension; a tenant that ran before is started."""
    return await _ask(suspension.resume, tenant, context, actor, retry)


@router.get("/{tenant}/operations", response_model=shapes.Operations)
async def operations(
    tenant: str,
    context: ContextOf,
    _: Annotated[Actor, needs(Permission.OPERATION_READ)],
    cursor: Annotated[str, Query(max_length=64)] = "",
    limit: Limit = 50,
) -> shapes.Operations:
    def load(tx: Tx) -> shapes.Operations:
        rows = operation_rows.of_tenant(tx, asking.get(tx, tenant).id, cursor, limit)
        return shapes.Operations(items=[render.operation(tx, row) for row in rows], next_cursor=rows[-1].id if len(rows) == limit else None)

    return context.database.read(load)
