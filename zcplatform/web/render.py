"""Rows as answers."""

import json

from zcplatform.agent.agent_settings import MAIN
from zcplatform.core.tenant import Tenant
from zcplatform.ops import config, providers
from zcplatform.settings import Settings
from zcplatform.store import drifts, images, operations
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.web import shapes


def url(settings: Settings, slug: str) -> str:
    return settings.tenant_url(slug)


def tenant(tx: Tx, settings: Settings, row: Tenant) -> shapes.Tenant:
    image = images.get(tx, row.image) if row.image else None
    return shapes.Tenant(
        id=row.id,
        slug=row.slug,
        name=row.name,
        plan=row.plan,
        state=row.state,
        reason=row.reason,
        next_attempt_at=row.next_attempt_at,
        wanted=row.wanted,
        generation=row.generation,
        revision=row.revision,
        rejected=_rejected(tx, row),
        image=shapes.ImageName(id=image.id, reference=image.reference, agent_version=image.agent_version) if image else None,
        provider=_provider(tx, row),
        has_drift=_has_drift(tx, row),
        url=url(settings, row.slug),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _provider(tx: Tx, row: Tenant) -> shapes.Provider | None:
    main = config.current(tx, row).providers.get(MAIN)
    if main is None:
        return None
    return shapes.Provider(family=main.family, model=main.model, base_url=main.base_url, has_key=providers.has_key(tx, row))


def _rejected(tx: Tx, row: Tenant) -> shapes.Rejected | None:
    if row.rejected_revision is None:
        return None
    image = images.get(tx, row.rejected_image_id) if row.rejected_image_id else None
    is_new = image is not None and row.rejected_image_id != row.last_good_image_id
    return shapes.Rejected(
        revision=row.rejected_revision, image=image.reference if image and is_new else None, reason=row.rejected_reason or ""
    )


def _has_drift(tx: Tx, row: Tenant) -> bool:
    drift = drifts.get(tx, row.id)
    return drift is not None and drift.decided is None


def operation(tx: Tx, row: Operation) -> shapes.Operation:
    error = None
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
            for step in operations.steps_of(tx, row.id)
        ],
        result=json.loads(row.result) if row.result else None,
    )


def image(row: Image) -> shapes.Image:
    return shapes.Image(
        id=row.id,
        source=row.source,
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
