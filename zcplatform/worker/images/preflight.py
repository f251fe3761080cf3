"""Check every tenant's configuration against an image before the image is used, without touching what runs."""

import json
from dataclasses import replace
from typing import Any

from zcplatform import clock
from zcplatform.agent import versions
from zcplatform.core.audit import Entry
from zcplatform.core.tenant import ENGINE_UNREACHABLE, Tenant, Wanted
from zcplatform.errors import PlatformError
from zcplatform.store import audit, images, operations, tenants
from zcplatform.store.allocations import Allocation
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.worker.configuration.configuration_check import PREFLIGHT, rejection
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import load


async def preflight(deps: Deps, operation: Operation) -> None:
    """Check every tenant once. An interrupted pre-flight starts again."""
    await deps.database.write(lambda tx: operations.begin(tx, operation.id, clock.text(clock.now())))
    image = deps.database.read(lambda tx: images.get(tx, operation.image_id or ""))
    if image is None or image.status != "ready":
        await _end(deps, operation, None, "The image was removed while tenants were checked against it")
        return
    rows = [row for row in deps.database.read(tenants.everything) if row.effective_wanted != Wanted.ABSENT]
    found: list[dict[str, Any]] = []
    for row in rows:
        try:
            reason = _version_problem(image) or await _ask(deps, row, image)
        except PlatformError as error:
            if error.code == ENGINE_UNREACHABLE:
                raise
            reason = error.detail
        found.append({"tenant": row.slug, "tenant_id": row.id, "revision": row.revision, "accepted": reason is None, "reason": reason})
    refused = sum(1 for one in found if not one["accepted"])
    result = {"image": image.reference, "agent_version": image.agent_version, "refused": refused, "tenants": found}
    await _end(deps, operation, result, None)


def _version_problem(image: Image) -> str | None:
    try:
        return versions.problem(versions.parse(image.agent_version or ""))
    except versions.NotAVersion:
        return None


async def _ask(deps: Deps, row: Tenant, image: Image) -> str | None:
    snapshot = deps.database.read(lambda tx: load(tx, deps.settings, row.id))
    if snapshot is None:
        return None
    # A draft has no allocation yet. A check needs no port and no network, and any uid of the range will do.
    spare = Allocation(deps.settings.port_span.first, deps.settings.uid_span.last, 0)
    async with deps.engine_slots:
        return await rejection(deps, replace(snapshot, image=image, allocation=snapshot.allocation or spare), PREFLIGHT)


async def _end(deps: Deps, operation: Operation, result: dict[str, Any] | None, error: str | None) -> None:
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        if error is not None:
            operations.fail(tx, operation.id, at, "image.removed", error, "")
            return
        operations.succeed(tx, operation.id, at, json.dumps(result))
        audit.append(tx, Entry(at, "system:images", "image.preflight", operation.image_id or ""))

    await deps.database.write(write)
