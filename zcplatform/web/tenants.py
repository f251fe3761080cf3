"""/api/tenants: list, create, show, change, deploy, start, stop, restart, suspend, resume and delete."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from zcplatform.core.roles import Permission
from zcplatform.core.tenant import State, Tenant
from zcplatform.ops import operations as operation_ops
from zcplatform.ops import providers, suspension, tenants, views
from zcplatform.ops.context import Call, Outcome
from zcplatform.ops.views import Operation, OperationView, TenantView
from zcplatform.web import lists, render, shapes
from zcplatform.web.base_revision import BaseRevision, require_base
from zcplatform.web.caller import Caller, changes, reads
from zcplatform.web.lists import Limit as Limit

router = APIRouter(prefix="/api/tenants", tags=["tenants"])
ACCEPTED: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Tenant, "description": "No change needed"},
    202: {"model": shapes.Operation, "description": "Accepted; follow the operation"},
}
Deploying = Annotated[Caller, changes(Permission.TENANT_DEPLOY)]
Suspending = Annotated[Caller, changes(Permission.TENANT_SUSPEND)]
Act = Callable[[Call], tuple[Tenant, Operation | None]]


async def request_change(caller: Caller, act: Act, tenant: str = "", base: int | None = None) -> Response:
    """Run an operation that returns the tenant and, if there is something to do, the operation. Rendered after the commit.

    With a `base` revision, only if the settings of the tenant are still of that revision.
    """

    def outcome(call: Call) -> Outcome[TenantView | OperationView]:
        require_base(call, tenant, base)
        row, operation = act(call)
        return Outcome(views.accepted(call.tx, row, operation), wake=row.id)

    return render.accepted(caller.context.settings, await caller.change(outcome))


@dataclass(frozen=True)
class TenantQuery:
    q: lists.Q = ""
    state: Annotated[list[State] | None, Query(max_length=12, description="Only tenants in one of these states; may be repeated")] = None
    plan: Annotated[str, Query(max_length=40, description="Only tenants of this plan")] = ""
    image: Annotated[str, Query(max_length=300, description="Only tenants that run this image: its id or reference")] = ""
    hold: Annotated[
        Literal["", "any", "none", "suspended", "quota"],
        Query(description="Only tenants with a hold of this kind, with `any`, or with `none`"),
    ] = ""
    sort: lists.Sort = "slug"
    cursor: lists.Cursor = ""
    limit: Limit = 100


@router.get("", operation_id="listTenants", summary="List tenants", response_model=shapes.Tenants)
async def list_tenants(
    caller: Annotated[Caller, reads(Permission.TENANT_READ)], query: Annotated[TenantQuery, Depends()]
) -> shapes.Tenants:
    """The tenants that you are a member of; all of them for a super-admin. Sort by slug, name, state, plan, created_at or updated_at."""
    order = lists.order(query.sort, query.cursor, tenants.SORTS)
    wanted = tenants.TenantFilter(query.q, tuple(query.state or ()), query.plan, query.image, query.hold)
    by = (order.field, order.is_descending, order.after)
    found, total = caller.read(lambda call: tenants.list_tenants(call, wanted, by, query.limit + 1))
    items = [render.tenant(caller.context.settings, view) for view in found[: query.limit]]
    cursor = lists.cursor_of(getattr(items[-1], order.field), items[-1].id) if len(found) > query.limit else None
    return shapes.Tenants(items=items, next_cursor=cursor, total=total)


@router.post("", operation_id="createTenant", summary="Create a tenant", status_code=201, response_model=shapes.Tenant)
async def create(sent: shapes.TenantInput, caller: Annotated[Caller, changes(Permission.TENANT_CREATE)]) -> Response:
    """Creates a draft. Deploy it to start its agent. If you are a person, you become its owner."""
    new = tenants.Changes(sent.name, sent.plan, sent.image, _provider(sent.provider))

    def act(call: Call) -> Outcome[TenantView]:
        row = tenants.create(call, sent.slug, new)
        return Outcome(views.tenant(call.tx, row), wake=row.id)

    view = await caller.change(act)
    return render.respond(render.tenant(caller.context.settings, view), 201, f"/api/tenants/{view.tenant.id}")


@router.get("/{tenant}", operation_id="getTenant", summary="Show a tenant", response_model=shapes.Tenant)
async def show(tenant: str, caller: Annotated[Caller, reads(Permission.TENANT_READ)]) -> shapes.Tenant:
    """Its state with the reason, its plan, image, provider and address."""
    return render.tenant(caller.context.settings, caller.read(lambda call: tenants.show(call, tenant)))


@router.patch("/{tenant}", operation_id="updateTenant", summary="Change a tenant", responses=ACCEPTED)
async def change(
    tenant: str, sent: shapes.TenantChange, caller: Annotated[Caller, changes(Permission.CONFIG_WRITE)], base: BaseRevision
) -> Response:
    """Only the fields that are sent change. An operation applies them to a running tenant."""
    wanted = tenants.Changes(sent.name, sent.plan, sent.image, _provider(sent.provider))
    return await request_change(caller, lambda call: tenants.change(call, tenant, wanted), tenant, base)


@router.delete("/{tenant}", operation_id="deleteTenant", summary="Delete a tenant", responses=ACCEPTED, status_code=202)
async def delete(tenant: str, caller: Annotated[Caller, changes(Permission.TENANT_DELETE, step_up=True)]) -> Response:
    """Removes its container, network, files and secrets permanently. Its slug cannot be used again for 90 days."""
    return await request_change(caller, lambda call: tenants.delete(call, tenant))


@router.post("/{tenant}/deploy", operation_id="deployTenant", summary="Deploy a tenant", responses=ACCEPTED, status_code=202)
async def deploy(tenant: str, caller: Deploying) -> Response:
    """Starts the agent of a draft or stopped tenant and makes it reachable at its address."""
    return await request_change(caller, lambda call: tenants.deploy(call, tenant))


@router.post("/{tenant}/start", operation_id="startTenant", summary="Start a tenant", responses=ACCEPTED, status_code=202)
async def start(tenant: str, caller: Deploying) -> Response:
    """Starts a stopped tenant. A tenant that runs already needs no change."""
    return await request_change(caller, lambda call: tenants.start(call, tenant))


@router.post("/{tenant}/stop", operation_id="stopTenant", summary="Stop a tenant", responses=ACCEPTED, status_code=202)
async def stop(tenant: str, caller: Deploying) -> Response:
    """Stops the agent. Its files stay, and its address shows a page that says so."""
    return await request_change(caller, lambda call: tenants.stop(call, tenant))


@router.post("/{tenant}/restart", operation_id="restartTenant", summary="Restart a tenant", responses=ACCEPTED, status_code=202)
async def restart(tenant: str, caller: Deploying) -> Response:
    """Stops the agent and starts it again with the same settings."""
    return await request_change(caller, lambda call: tenants.restart(call, tenant))


@router.post("/{tenant}/suspend", operation_id="suspendTenant", summary="Suspend a tenant", responses=ACCEPTED, status_code=202)
async def suspend(tenant: str, sent: shapes.Suspension, caller: Suspending) -> Response:
    """Stops it and keeps its members from starting it again. They read the reason."""
    return await request_change(caller, lambda call: suspension.suspend(call, tenant, sent.reason))


@router.post("/{tenant}/resume", operation_id="resumeTenant", summary="Resume a tenant", responses=ACCEPTED, status_code=202)
async def resume(tenant: str, caller: Suspending) -> Response:
    """Ends the suspension. A tenant that ran before is started again."""
    return await request_change(caller, lambda call: suspension.resume(call, tenant))


@router.get("/{tenant}/operations", operation_id="listOperations", summary="List a tenant's operations", response_model=shapes.Operations)
async def list_operations(
    tenant: str,
    caller: Annotated[Caller, reads(Permission.OPERATION_READ)],
    status: Annotated[shapes.OperationStatus | None, Query(description="Only operations with this status")] = None,
    kind: Annotated[str, Query(max_length=40, description="Only operations of this kind, for example `tenant.deploy`")] = "",
    cursor: lists.Cursor = "",
    limit: Limit = 50,
) -> shapes.Operations:
    """Newest first."""
    wanted = operation_ops.OperationFilter(status or "", kind)
    found, total = caller.read(lambda call: operation_ops.list_of_tenant(call, tenant, wanted, cursor, limit + 1))
    items = [render.operation(view) for view in found[:limit]]
    return shapes.Operations(items=items, next_cursor=items[-1].id if len(found) > limit else None, total=total)


def _provider(sent: shapes.ProviderInput | None) -> providers.MainProvider | None:
    if sent is None:
        return None
    key = sent.api_key.get_secret_value() if sent.api_key else None
    return providers.MainProvider(sent.family, sent.model, sent.base_url, key)
