"""Prepare an image on the worker's machine: pull it, build it from an installed program, or make the demo agent."""

import asyncio
import hashlib
import json
import stat
import tempfile
from collections.abc import AsyncIterable, Callable
from functools import partial
from pathlib import Path

from zcplatform import clock
from zcplatform.adapters import agent_image
from zcplatform.adapters.agent_image import Recipe
from zcplatform.agent import runtime, versions
from zcplatform.core.audit import Entry
from zcplatform.core.images import LABEL_MADE_BY, built_reference, demo_reference, is_allowed, pinned, pulled_reference
from zcplatform.engines.protocol import Place
from zcplatform.engines.seen import PullProgress
from zcplatform.errors import StepFailed
from zcplatform.ids import LOCAL
from zcplatform.store import audit, images, operations
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.worker.deps import Deps
from zcplatform.worker.images.image_inspection import inspect_image

PROGRESS_S = 1.0


async def prepare(deps: Deps, image: Image) -> None:
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
    found = await local_place(deps).image(engine_id)
    size = found.size_bytes if found is not None else 0
    told = await inspect_image(local_place(deps), image.id, engine_id, deps.settings.start_timeout_s)
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
    """Return the requested version: of the tag, or of the program that the image was made from."""
    if image.source != "pull":
        return version
    try:
        return str(versions.parse(image.reference.rpartition(":")[2]))
    except versions.NotAVersion:
        return None


async def _digest(deps: Deps, image: Image) -> str:
    """Return the digest that the registry has for the reference now. Nothing is fetched for an image that the settings do not allow."""
    if not is_allowed(image.reference, deps.settings.image_repositories):
        raise StepFailed(
            "image.not_allowed", f"`{image.reference}` is not from a repository that the settings file allows", "docs/how-to/images.md"
        )
    _, _, digest = image.reference.partition("@")
    return digest or await local_place(deps).registry_digest(image.reference)


async def _pulled(deps: Deps, image: Image) -> tuple[str, str | None, str] | None:
    """Pull an image; the result is like that of `_make`. An image that was requested by digest and is present needs no registry."""
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
    """Whether another row has the same content and its image is in the engine."""
    twin = deps.database.read(lambda tx: images.same_content(tx, image.id, image.reference, digest))
    return twin is not None and twin.image_id is not None and await local_place(deps).image(twin.image_id) is not None


async def _pull(deps: Deps, image: Image, digest: str) -> tuple[str, str | None]:
    """Return the engine's id and the version in the image's label."""
    reference = pinned(image.reference, digest)
    await _told_while(deps, image, local_place(deps).pull_image(reference))
    found = await local_place(deps).image(reference)
    if found is None:
        raise StepFailed("image.missing", f"`{reference}` was pulled, but the engine does not list it", "try again")
    version = found.labels.get("org.opencontainers.image.version")
    try:
        problem = versions.problem(versions.parse(version or image.reference.rpartition(":")[2]))
    except versions.NotAVersion:
        problem = None  # the version is unknown; its first start shows whether it works
    if problem is not None:
        raise StepFailed("image.version", problem, "docs/how-to/images.md")
    await local_place(deps).name_image(reference, pulled_reference(deps.settings.instance, digest))
    return found.id, version


async def _told_while(deps: Deps, image: Image, pull: AsyncIterable[PullProgress]) -> None:
    """Record the progress of a pull on its operation, at most once a second."""
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
    """Merge a row whose tag has not moved into the existing row: it is deleted, and no second image is made.

    Not if the row was removed meanwhile (its removal ends separately), nor if the existing row now refers to another image in this engine.
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
    """Make an image. Returns the engine's id, the version and the digest of its content; None if an image of this name already has that content.

    Each import gets another id, because the engine stores its time. Files and recipe decide whether the content is the same.
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
        engine_id = await local_place(deps).add_image(tar, changes, tag)
        if not is_there and await deps.database.write(lambda tx: _is_back(tx, image, digest, engine_id)):
            return None
        return engine_id, recipe.version, digest


def _is_back(tx: Tx, image: Image, digest: str, engine_id: str) -> bool:
    """Record that an image which was removed from the engine is back under another id, which its tenants use from now on."""
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
    """Return the program named by the row, if the settings file names it too and only root can change it."""
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
        raise StepFailed("image.no_binary", f"{binary} cannot be read: {error.strerror}", "Name a zeroclaw program that exists") from None
    if not stat.S_ISREG(facts.st_mode) or facts.st_uid != 0 or facts.st_mode & 0o022:
        raise StepFailed("image.rights", f"{binary} can be changed by other users than root", f"chown root {binary} && chmod 755 {binary}")
    return binary


def _dashboard(binary: Path) -> Path | None:
    found = (binary.parent / place for place in runtime.DASHBOARDS)
    return next((place.resolve() for place in found if (place / "index.html").is_file()), None)


def local_place(deps: Deps) -> Place:
    """Return the place of the worker's own machine, where images are prepared."""
    return deps.engine.place(LOCAL)
