"""The images loop: pulls, builds and removes images, one after the other. Each source is checked against the settings file again."""

from datetime import timedelta

from zcplatform import clock
from zcplatform.core import backoff
from zcplatform.core.audit import Entry
from zcplatform.core.images import may_run, pulled_reference
from zcplatform.core.tenant import ENGINE_UNREACHABLE
from zcplatform.errors import PlatformError
from zcplatform.ids import LOCAL
from zcplatform.log import logger
from zcplatform.store import audit, images, operations
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.worker.deps import Deps
from zcplatform.worker.images.preflight import preflight
from zcplatform.worker.images.preparing import local_place, prepare
from zcplatform.worker.loop import Loop
from zcplatform.worker.reconcile.recording import as_platform_error

PULL_S = 7_200.0
"""On a slow line, pulling a large image takes up to an hour; a longer round counts as late."""


class ImagesLoop:
    def __init__(self, deps: Deps, period_s: float) -> None:
        self.loop = Loop("images", period_s, self._round, longest_s=PULL_S)
        self._deps = deps

    async def _round(self) -> None:
        for image in self._deps.database.read(images.unsettled):
            await self._settle(image)
        for operation in self._deps.database.read(lambda tx: operations.open_of_kind(tx, "image.preflight")):
            await self._preflight(operation)
        for image in self._deps.database.read(images.everything):
            await self._look_for(image)

    async def _look_for(self, image: Image) -> None:
        """Mark images that someone removed from the engine, so that they are not chosen."""
        if image.status not in ("ready", "lost") or image.image_id is None:
            return
        found = {LOCAL} if await local_place(self._deps).image(image.image_id) is not None else set()
        if found != self._deps.database.read(lambda tx: images.places(tx, image.id)):
            at = clock.text(clock.now())
            await self._deps.database.write(lambda tx: images.record_places(tx, image.id, found, at))

    async def _settle(self, image: Image) -> None:
        """Process one image at a time. An error is recorded on its image, and the next one follows."""
        deps = self._deps
        kind = "image.remove" if image.wanted == "absent" else "image.prepare"
        try:
            await deps.database.write(lambda tx: _begin(tx, image, kind))
            await (_remove(deps, image) if image.wanted == "absent" else prepare(deps, image))
        except Exception as unknown:
            error = as_platform_error(unknown, image=image.id)
            logger.info("an image has not reached its desired state", image=image.reference, code=error.code, error=error.detail)
            await deps.database.write(lambda tx: _failed(tx, image, kind, error))

    async def _preflight(self, operation: Operation) -> None:
        """Remove or prepare an image. If the engine does not answer, the next round retries."""
        try:
            await preflight(self._deps, operation)
        except Exception as unknown:
            error = as_platform_error(unknown, operation=operation.id)
            await self._deps.database.write(lambda tx: _waits(tx, operation, error))


def _waits(tx: Tx, operation: Operation, error: PlatformError) -> None:
    now = clock.now()
    if error.code != ENGINE_UNREACHABLE:
        operations.fail(tx, operation.id, clock.text(now), error.code, error.detail, error.hint)
        return
    soon = clock.text(now + timedelta(seconds=backoff.UNREACHABLE_S))
    operations.wait(tx, operation.id, clock.text(now), error.code, error.detail, error.hint, soon)


def _begin(tx: Tx, image: Image, kind: str) -> None:
    operation = operations.open_of_image(tx, image.id, kind)
    if operation is not None:
        operations.begin(tx, operation.id, clock.text(clock.now()))


def _failed(tx: Tx, image: Image, kind: str, error: PlatformError) -> None:
    """Prepare an image. If the engine does not answer, the attempt is repeated; any other error is recorded and ends it."""
    now = clock.now()
    at = clock.text(now)
    operation = operations.open_of_image(tx, image.id, kind)
    if error.code == ENGINE_UNREACHABLE:
        if operation is not None:
            next_attempt_at = clock.text(now + timedelta(seconds=backoff.UNREACHABLE_S))
            operations.wait(tx, operation.id, at, error.code, error.detail, error.hint, next_attempt_at)
        return
    current = images.get(tx, image.id)
    if current is not None and current.wanted == image.wanted:
        if image.wanted == "present":
            images.failed(tx, image.id, at, error.detail)
        else:
            images.keep_after_failed_removal(tx, image.id, at)
        audit.append(tx, Entry(at, "system:images", kind, image.id, outcome="failed"))
    if operation is not None:
        operations.fail(tx, operation.id, at, error.code, error.detail, error.hint)


async def _remove(deps: Deps, image: Image) -> None:
    """Remove the engine's image with the last row that refers to it. Only images that this installation may run are removed, whatever a row names."""
    found = await local_place(deps).image(image.image_id) if image.image_id else None
    ours = found is not None and may_run(deps.settings.instance, found.labels, found.digests, deps.settings.image_repositories)
    if found is not None and ours and deps.database.read(lambda tx: images.same_engine_id(tx, found.id)) == 0:
        for digest in (one.rpartition("@")[2] for one in found.digests):
            await local_place(deps).remove_image(pulled_reference(deps.settings.instance, digest))
        await local_place(deps).remove_image(found.id)
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        images.removed(tx, image.id, at)
        audit.append(tx, Entry(at, "system:images", "image.removed", image.id))
        operation = operations.open_of_image(tx, image.id, "image.remove")
        if operation is not None:
            operations.succeed(tx, operation.id, at)

    await deps.database.write(write)
