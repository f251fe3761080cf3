"""The images' loop: what is wanted is pulled, built or removed, one after the other. Each source is checked against the settings again."""

import asyncio
import hashlib
import json
import stat
import tempfile
from collections.abc import AsyncIterable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from zcplatform import clock
from zcplatform.adapters import agent_image
from zcplatform.adapters.agent_image import Recipe
from zcplatform.agent import versions
from zcplatform.core import backoff
from zcplatform.core.audit import Entry
from zcplatform.core.images import LABEL_MADE_BY, built_reference, demo_reference, is_allowed, may_run, pinned, pulled_reference
from zcplatform.core.tenant import ENGINE_UNREACHABLE
from zcplatform.engines.seen import PullProgress
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.log import logger
from zcplatform.store import audit, images, operations
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation
from zcplatform.worker.deps import Deps
from zcplatform.worker.images.image_inspection import probe
from zcplatform.worker.images.preflight import preflight
from zcplatform.worker.loop import Loop
from zcplatform.worker.reconcile.recording import as_platform_error

DASHBOARDS = ("web/dist", "../web/dist", "../share/zeroclawlabs/web/dist")
"""Where a program's dashboard files are looked for, seen from its folder."""
PROGRESS_S = 1.0
PULL_S = 7_200.0
"""A slow line pulls a large image for an hour; a round that takes longer counts as late."""


class ImagesLoop:
    def __init__(self, deps: Deps, period_s: float) -> None:
        self.loop = Loop("images", period_s, self._round, longest_s=PULL_S)
        self._deps = deps

    async def _round(self) -> None:
        for image in self._deps.database.read(images.unsettled):
            await self._settle(image)
        for operation in self._deps.database.read(lambda tx: operations.open_of_kind(tx, "image.preflight")):
            await self._preflight(operation)

    async def _settle(self, image: Image) -> None:
        """One image at a time; whatever goes wrong with it is told on it, and the next one has its turn."""
        deps = self._deps
        kind = "image.remove" if image.wanted == "absent" else "image.prepare"
        try:
            await deps.database.write(lambda tx: _begin(tx, image, kind))
            await (_remove(deps, image) if image.wanted == "absent" else _prepare(deps, image))
        except Exception as unknown:
            error = as_platform_error(unknown, image=image.id)
            logger.info("an image is not as wanted", image=image.reference, code=error.code, error=error.detail)
            await deps.database.write(lambda tx: _failed(tx, image, kind, error))

    async def _preflight(self, operation: Operation) -> None:
        """What can not be asked now is asked again in the next round."""
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
    """An engine that does not answer is waited for; anything else is told and ends the attempt."""
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


async def _prepare(deps: Deps, image: Image) -> None:
    match image.source:
        case "pull":
            made = await _pulled(deps, image)
        case "demo":
            made = await _make(deps, image, agent_image.demo, demo_reference(deps.settings.instance))
        case _:
            binary = _allowed_binary(deps, image)
            tag = f"{deps.settings.instance}-zeroclaw:{image.id.removeprefix('img_')}"
            made = await _make(deps, image, lambda out: agent_image.zeroclaw(binary, _dashboard(binary), out), tag)
    if made is None:
        return
    engine_id, version, digest = made
    found = await deps.docker.image(engine_id)
    size = found.size_bytes if found is not None else 0
    told = await probe(deps, image.id, engine_id)
    _check_version(told.version)
    channels = json.dumps(told.channels) if told.channels is not None else None
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        images.ready(
            tx,
            image.id,
            at,
            engine_id=engine_id,
            digest=digest,
            agent_version=told.version or version,
            size_bytes=size,
            asked_version=_asked(image, version),
            channels=channels,
        )
        audit.append(tx, Entry(at, "system:images", "image.ready", image.id, changes={"image_id": [None, engine_id]}))
        operation = operations.open_of_image(tx, image.id, "image.prepare")
        if operation is not None:
            operations.succeed(tx, operation.id, at, json.dumps({"image": image.id, "digest": digest, "is_new": True}))

    await deps.database.write(write)


def _check_version(version: str | None) -> None:
    problem = versions.problem(versions.parse(version)) if version is not None else None
    if problem is not None:
        raise StepFailed("image.version", problem, "docs/how-to/images.md")


def _asked(image: Image, version: str | None) -> str | None:
    """The version that was asked for: of the tag, or of the program that the image was made from."""
    if image.source != "pull":
        return version
    try:
        return str(versions.parse(image.reference.rpartition(":")[2]))
    except versions.NotAVersion:
        return None


async def _digest(deps: Deps, image: Image) -> str:
    """What the row's reference stands for now, as its registry says; nothing of an image is fetched before it is allowed."""
    if not is_allowed(image.reference, deps.settings.image_repositories):
        raise StepFailed(
            "image.not_allowed", f"`{image.reference}` is not from a repository that the settings file allows", "docs/how-to/images.md"
        )
    _, _, digest = image.reference.partition("@")
    return digest or await deps.docker.digest(image.reference)


async def _pulled(deps: Deps, image: Image) -> tuple[str, str | None, str] | None:
    """As `_make`. What was asked for by its digest and is there needs no registry."""
    digest = await _digest(deps, image)
    if (
        "@" in image.reference
        and await _has_twin(deps, image, digest)
        and await deps.database.write(lambda tx: _is_known(tx, image, digest))
    ):
        return None
    engine_id, version = await _pull(deps, image, digest)
    is_known = await deps.database.write(lambda tx: _is_known(tx, image, digest, engine_id))
    return None if is_known else (engine_id, version, digest)


async def _has_twin(deps: Deps, image: Image, digest: str) -> bool:
    """Whether another row stands for the same, and its image is in the engine."""
    twin = deps.database.read(lambda tx: images.same_content(tx, image.id, image.reference, digest))
    return twin is not None and twin.image_id is not None and await deps.docker.image(twin.image_id) is not None


async def _pull(deps: Deps, image: Image, digest: str) -> tuple[str, str | None]:
    """The engine's id and the version that is written on it."""
    reference = pinned(image.reference, digest)
    await _told_while(deps, image, deps.docker.pull(reference))
    found = await deps.docker.image(reference)
    if found is None:
        raise StepFailed("image.missing", f"`{reference}` was pulled and is not there", "try again")
    version = found.labels.get("org.opencontainers.image.version")
    try:
        problem = versions.problem(versions.parse(version or image.reference.rpartition(":")[2]))
    except versions.NotAVersion:
        problem = None  # it does not say which one it is; its first start shows
    if problem is not None:
        raise StepFailed("image.version", problem, "docs/how-to/images.md")
    await deps.docker.tag(reference, pulled_reference(deps.settings.instance, digest))
    return found.id, version


async def _told_while(deps: Deps, image: Image, pull: AsyncIterable[PullProgress]) -> None:
    """Its progress is told on the operation, once a second when there is any."""
    latest = ""

    async def tell() -> None:
        said = ""
        while True:
            await asyncio.sleep(PROGRESS_S)
            if latest != said:
                said = latest
                await deps.database.write(partial(_progress, image, f"pulling: {said}"))

    telling = asyncio.create_task(tell())
    try:
        async for pulled in pull:
            latest = str(pulled)
    finally:
        telling.cancel()


def _progress(image: Image, words: str, tx: Tx) -> None:
    operation = operations.open_of_image(tx, image.id, "image.prepare")
    if operation is not None:
        operations.progress(tx, operation.id, clock.text(clock.now()), words)


def _is_known(tx: Tx, image: Image, digest: str, engine_id: str | None = None) -> bool:
    """A tag that has not moved becomes no second image: the row that asked goes, the one that was there stands for it.

    Not where it was removed meanwhile (its removal has its own end), nor where the one that was there is another image to this engine by now.
    """
    asked = images.get(tx, image.id)
    twin = images.same_content(tx, image.id, image.reference, digest)
    if asked is None or asked.wanted != "present" or twin is None or (engine_id is not None and twin.image_id != engine_id):
        return False
    at = clock.text(clock.now())
    images.remove(tx, image.id, at)
    images.removed(tx, image.id, at)
    audit.append(tx, Entry(at, "system:images", "image.ready", image.id, changes={"stands_for_it": [None, twin.id]}))
    if asked.wants_default:
        images.make_default(tx, twin.id, at)
        audit.append(tx, Entry(at, "system:images", "image.make_default", twin.id))
    operation = operations.open_of_image(tx, image.id, "image.prepare")
    if operation is not None:
        operations.succeed(tx, operation.id, at, json.dumps({"image": twin.id, "digest": digest, "is_new": False}))
    return True


async def _make(deps: Deps, image: Image, make: Callable[[Path], Recipe], tag: str) -> tuple[str, str, str] | None:
    """The engine's id, the version and the digest of what is in it; None when an image of the same name has just that already.

    The engine gives each import another id, for it writes down when: what is the same is told by its files and its recipe.
    """
    with tempfile.TemporaryDirectory(prefix="zcplatform-image-") as folder:
        tar = Path(folder) / "image.tar"
        recipe = await asyncio.to_thread(make, tar)
        problem = versions.problem(versions.parse(recipe.version))
        if problem is not None:
            raise StepFailed("image.version", problem, "docs/how-to/images.md")
        changes = (*recipe.changes, f"LABEL {LABEL_MADE_BY}={deps.settings.instance}")
        digest = await asyncio.to_thread(_content_digest, tar, changes)
        is_there = await _has_twin(deps, image, digest)
        if is_there and await deps.database.write(lambda tx: _is_known(tx, image, digest)):
            return None
        engine_id = await deps.docker.import_image(tar, changes, tag)
        if not is_there and await deps.database.write(lambda tx: _is_back(tx, image, digest, engine_id)):
            return None
        return engine_id, recipe.version, digest


def _is_back(tx: Tx, image: Image, digest: str, engine_id: str) -> bool:
    """What somebody had removed from the engine is there again, under another id: who ran with it goes on with that."""
    twin, at = images.same_content(tx, image.id, image.reference, digest), clock.text(clock.now())
    if twin is not None:
        images.set_engine_id(tx, twin.id, engine_id, at)
        audit.append(tx, Entry(at, "system:images", "image.ready", twin.id, changes={"image_id": [twin.image_id, engine_id]}))
    return _is_known(tx, image, digest, engine_id)


def _content_digest(tar: Path, changes: tuple[str, ...]) -> str:
    with tar.open("rb") as file:
        found = hashlib.file_digest(file, "sha256")
    found.update(json.dumps(changes).encode())
    return f"sha256:{found.hexdigest()}"


def _allowed_binary(deps: Deps, image: Image) -> Path:
    """The program named by the row, if the settings file names it too and only root can change it."""
    for binary in deps.settings.image_binaries:
        if image.reference == built_reference(deps.settings.instance, str(binary)):
            break
    else:
        raise StepFailed(
            "image.not_allowed", f"`{image.reference}` is not named in `image_binaries` of the settings file", "docs/how-to/images.md"
        )
    try:
        facts = binary.stat()
    except OSError as error:
        raise StepFailed("image.no_binary", f"{binary} cannot be read: {error.strerror}", "name a zeroclaw program that is there") from None
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != 0 or facts.st_mode & 0o022:
        raise StepFailed("image.rights", f"{binary} can be changed by others than root", f"chown root {binary} && chmod 755 {binary}")
    return binary


def _dashboard(binary: Path) -> Path | None:
    found = (binary.parent / place for place in DASHBOARDS)
    return next((place.resolve() for place in found if (place / "index.html").is_file()), None)


async def _remove(deps: Deps, image: Image) -> None:
    """The engine's image goes with the last row that stands for it, if it is one of ours: a row can not name any image of the host."""
    found = await deps.docker.image(image.image_id) if image.image_id else None
    ours = found is not None and may_run(deps.settings.instance, found.labels, found.digests, deps.settings.image_repositories)
    if found is not None and ours and deps.database.read(lambda tx: images.same_engine_id(tx, found.id)) == 0:
        for digest in (one.rpartition("@")[2] for one in found.digests):
            await deps.docker.remove_image(pulled_reference(deps.settings.instance, digest))
        await deps.docker.remove_image(found.id)
    at = clock.text(clock.now())

    def write(tx: Tx) -> None:
        images.removed(tx, image.id, at)
        audit.append(tx, Entry(at, "system:images", "image.removed", image.id))
        operation = operations.open_of_image(tx, image.id, "image.remove")
        if operation is not None:
            operations.succeed(tx, operation.id, at)

    await deps.database.write(write)
