"""Convert rows to the API's JSON. Pure: everything shown was read before, in one transaction."""

import json

from fastapi.responses import Response
from pydantic import BaseModel

from zcplatform.core.tenant import State, Wanted
from zcplatform.ops.views import Image, OperationView, TenantView
from zcplatform.settings import Settings
from zcplatform.web import shapes


def respond(model: BaseModel, status: int = 200, location: str | None = None) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Location": location} if location else {})
    return Response(model.model_dump_json(), status, headers, "application/json")


def accepted(settings: Settings, result: TenantView | OperationView) -> Response:
    """The response to a change of a tenant: 202 with the operation, or 200 with the tenant if there is nothing to do."""
    if isinstance(result, OperationView):
        return accepted_operation(result)
    return respond(tenant(settings, result))


def accepted_operation(result: OperationView) -> Response:
    return respond(operation(result), 202, f"/api/operations/{result.operation.id}")


def url(settings: Settings, slug: str) -> str:
    return settings.tenant_url(slug)


def tenant(settings: Settings, view: TenantView) -> shapes.Tenant:
    row, image, provider = view.tenant, view.image, view.provider
    return shapes.Tenant(
        id=row.id,
        slug=row.slug,
        name=row.name,
        plan=row.plan,
        state=State(row.state),
        reason=row.reason,
        next_attempt_at=row.next_attempt_at,
        wanted=Wanted(row.wanted),
        holds=[shapes.Hold(kind=hold.kind, reason=hold.reason, since=hold.since, by=hold.by) for hold in row.holds],
        generation=row.generation,
        revision=row.revision,
        rejected=_rejected(view),
        image=shapes.ImageName(id=image.id, reference=image.reference, agent_version=image.agent_version) if image else None,
        provider=shapes.Provider(**provider.__dict__) if provider else None,
        has_drift=view.has_drift,
        machine=view.machine,
        url=url(settings, row.slug),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _rejected(view: TenantView) -> shapes.Rejected | None:
    row, image = view.tenant, view.rejected_image
    if row.rejected_revision is None:
        return None
    is_new = image is not None and row.rejected_image_id != row.last_good_image_id
    return shapes.Rejected(
        revision=row.rejected_revision, image=image.reference if image and is_new else None, reason=row.rejected_reason or ""
    )


def operation(view: OperationView) -> shapes.Operation:
    row, error = view.operation, None
    if row.error_code is not None:
        error = shapes.OperationError(code=row.error_code, detail=row.error_detail or "", hint=row.error_hint or "")
    return shapes.Operation(
        id=row.id,
        kind=row.kind,
        status=row.status,  # type: ignore[arg-type]
        tenant_id=row.tenant_id,
        image_id=row.image_id,
        reason=row.reason,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        error=error,
        requested_by=row.requested_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        steps=[
            shapes.Step(
                name=step.name,
                status=step.status,  # type: ignore[arg-type]
                attempts=step.attempts,
                started_at=step.started_at,
                finished_at=step.finished_at,
                error=step.error,
            )
            for step in view.steps
        ],
        result=json.loads(row.result) if row.result else None,
    )


def image(row: Image) -> shapes.Image:
    return shapes.Image(
        id=row.id,
        source=row.source,  # type: ignore[arg-type]
        reference=row.reference,
        status=row.status,  # type: ignore[arg-type]
        image_id=row.image_id,
        digest=row.digest,
        agent_version=row.agent_version,
        asked_version=row.asked_version,
        channels=json.loads(row.channels) if row.channels else None,
        size_bytes=row.size_bytes,
        is_default=bool(row.is_default),
        error=row.error,
        created_at=row.created_at,
    )
