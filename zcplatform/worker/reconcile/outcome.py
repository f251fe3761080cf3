"""Record how a round ended: settled, rolled back, or failed with a time for the next attempt. Also ends the operation."""

import random
from datetime import timedelta
from typing import Any

from zcplatform import clock
from zcplatform.core import backoff
from zcplatform.core.audit import Entry
from zcplatform.core.plan import Seen
from zcplatform.core.tenant import (
    ATTEMPTS_BEFORE_FAILED,
    EDGE,
    OTHER_NUMBER,
    UNREACHABLE,
    Tenant,
    Wanted,
    has_failed,
)
from zcplatform.errors import PlatformError
from zcplatform.failpoint import failpoint
from zcplatform.ids import ImageId, TenantId
from zcplatform.log import logger
from zcplatform.store import audit, events, images, operations, revisions, tenants
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.recording import record_verified
from zcplatform.worker.reconcile.snapshot import TenantSnapshot

LONGEST_REASON = 500


async def settle(deps: Deps, snapshot: TenantSnapshot, seen: Seen) -> None:
    """Record that the tenant is in its desired state, and end its operation. Does nothing while the next attempt is not due."""
    tenant = snapshot.tenant
    if seen.is_waiting:
        return
    if tenant.effective_wanted == Wanted.RUNNING and tenant.is_unproven:
        await record_verified(deps, snapshot)  # another row for the image that runs already: no restart was needed
    container = "absent" if seen.container is None else "running" if seen.container.is_running else "stopped"
    changes: dict[str, object] = {}
    if tenant.seen_generation != tenant.generation:
        changes["seen_generation"] = tenant.generation
    if tenant.seen_container != container:
        changes["seen_container"] = container
    if tenant.error_code is not None:
        changes |= {"error_code": None, "error_detail": None, "error_hint": None, "next_attempt_at": None}
    if not changes and snapshot.operation is None:
        return
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        if tenants.record_seen(tx, tenant.id, tenant.generation, at, changes) and snapshot.operation is not None:
            _end(tx, tenant, snapshot.operation, at)

    await deps.database.write(write)


def _end(tx: Tx, tenant: Tenant, operation: Operation, at: str) -> None:
    """End the operation: succeeded, or failed where the requested revision or image was rolled back."""
    for step in operations.steps_of(tx, operation.id):
        if step.status == "running":
            operations.end_step(tx, operation.id, step.name, at)
    if tenant.effective_wanted != Wanted.RUNNING or not tenant.is_rolled_back:
        operations.succeed(tx, operation.id, at)
    elif tenant.rejected_image_id == tenant.last_good_image_id:
        detail = f"Revision {tenant.rejected_revision} of `{tenant.slug}` was rolled back: {tenant.rejected_reason}"
        hint = f"It runs with revision {tenant.revision}. Change the settings and save them again"
        operations.fail(tx, operation.id, at, "revision.rejected", detail, hint)
    else:
        new = "" if tenant.rejected_revision == tenant.last_good_revision else f" with revision {tenant.rejected_revision}"
        detail = f"Image {_reference(tx, tenant.rejected_image_id)}{new} was rolled back on `{tenant.slug}`: {tenant.rejected_reason}"
        hint = f"it runs with {_reference(tx, tenant.image)} and revision {tenant.revision}; choose an image that accepts its settings"
        operations.fail(tx, operation.id, at, "image.rejected", detail, hint)


def _reference(tx: Tx, image_id: ImageId | None) -> str:
    image = images.get(tx, image_id or "")
    return image.reference if image else "that is gone"


async def roll_back(deps: Deps, tenant_id: TenantId, generation: int | None, words: str, for_image: bool = False) -> bool:
    """Roll back to the last good revision and image. The operation continues, and finally fails with `words`.

    False, without writing, if there is nothing to return to. `for_image`: only a new image can be the cause.
    """
    at, words = clock.text(clock.now()), deps.redactor(tenant_id).line(words, LONGEST_REASON)

    def write(tx: Tx) -> bool:
        tenant = tenants.get(tx, tenant_id)
        if tenant is None or tenant.generation != generation or not tenant.is_unproven:
            return False
        new_image = tenant.image_id != tenant.last_good_image_id
        if for_image and not new_image:
            return False
        rejected = tenant.wanted_revision
        seen = {"rejected_revision": rejected, "rejected_image_id": tenant.image_id, "rejected_reason": words, **tenants.NO_ERROR}
        tenants.record_seen(tx, tenant_id, tenant.generation, at, seen)
        revisions.set_outcome(tx, tenant_id, rejected, "rejected", words)
        subject = "image" if new_image else "revision"
        data: dict[str, Any] = {"slug": tenant.slug, "revision": rejected, "image_id": tenant.image_id, "reason": words}
        events.append(tx, at, f"{subject}.rolled_back", tenant_id=tenant_id, **data)
        changes: dict[str, object] = {"revision": [rejected, tenant.last_good_revision]} if rejected != tenant.last_good_revision else {}
        changes |= {"image": [tenant.image_id, tenant.last_good_image_id]} if new_image else {}
        audit.append(tx, Entry(at, "system:reconcile", f"{subject}.roll_back", tenant_id, tenant_id, changes=changes))
        return True

    request = deps.database.read(lambda tx: tenants.get(tx, tenant_id))
    failpoint(f"{request.last_request if request else ''}.roll_back.before")
    done = await deps.database.write(write)
    if done:
        failpoint(f"{request.last_request if request else ''}.roll_back.after")
        logger.info("a revision or image was rolled back", tenant=tenant_id, reason=words)
    return done


async def record_failure(deps: Deps, tenant_id: TenantId, generation: int | None, error: PlatformError) -> None:
    """Record an error and the time of the next attempt, on the tenant and its operation. Does nothing if the generation has moved on."""
    deps.edge.wake()  # a tenant without a route also has an address, which shows the page for stopped tenants
    now, detail = clock.now(), deps.redactor(tenant_id)(error.detail)
    logger.info("a tenant could not reach its desired state", tenant=tenant_id, code=error.code, error=detail)

    def write(tx: Tx) -> None:
        tenant = tenants.get(tx, tenant_id)
        if tenant is None or tenant.deleted_at is not None or tenant.generation != generation:
            return
        failures = tenant.failures if error.code in UNREACHABLE else tenant.failures + 1
        wait_s = _wait_s(error.code, failures)
        next_attempt_at = clock.text(now + timedelta(seconds=wait_s))
        at = clock.text(now)
        changes: dict[str, object] = {
            "failures": failures,
            "error_code": error.code,
            "error_detail": detail,
            "error_hint": error.hint,
            "next_attempt_at": next_attempt_at,
        }
        tenants.record_seen(tx, tenant_id, tenant.generation, at, changes)
        operation = operations.open_of(tx, tenant_id)
        if operation is None:
            return
        if has_failed(error.code, failures):
            operations.fail(tx, operation.id, at, error.code, detail, error.hint)
        else:
            operations.wait(tx, operation.id, at, error.code, detail, error.hint, next_attempt_at)

    await deps.database.write(write)


def _wait_s(code: str, failures: int) -> float:
    if code in UNREACHABLE | EDGE:
        return backoff.UNREACHABLE_S
    if code in OTHER_NUMBER and failures < ATTEMPTS_BEFORE_FAILED:
        return 0
    return backoff.delay_s(failures, random.random())  # noqa: S311
