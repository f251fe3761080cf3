"""Agent images. Rows cannot extend what the settings file allows: the worker checks each source again."""

from dataclasses import dataclass

from zcplatform.core.images import built_reference, demo_reference, is_allowed, is_reference
from zcplatform.errors import BadInput, Conflict, NotFound
from zcplatform.ids import new_image_id
from zcplatform.ops import views
from zcplatform.ops.context import Call, Outcome
from zcplatform.ops.views import OperationView
from zcplatform.store import images, operations
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation

PREPARE, REMOVE, PREFLIGHT = "image.prepare", "image.remove", "image.preflight"


@dataclass(frozen=True)
class NewImage:
    source: str
    reference: str | None
    binary: str | None
    make_default: bool


def list_images(call: Call) -> list[Image]:
    return images.everything(call.tx)


def prepare(call: Call, new: NewImage) -> Outcome[OperationView]:
    """Request an image. The operation's result names it.

    A known image is prepared again: a tag may have moved, what `build` and `demo` make may have changed, and the engine may have lost the image.
    """
    reference = _reference(call, new)
    known = images.find(call.tx, reference)
    if known is not None and known.wanted == "present":
        if new.make_default and known.status == "ready":
            images.make_default(call.tx, known.id, call.at)
            call.record("image.make_default", known.id)
        under_way = operations.open_of_image(call.tx, known.id, PREPARE)
        if under_way is not None:
            if new.make_default:
                images.request_default(call.tx, known.id)
            return _outcome(call, under_way)
    image = Image(
        id=new_image_id(),
        source=new.source,
        reference=reference,
        wanted="present",
        status="preparing",
        image_id=None,
        digest=None,
        agent_version=None,
        size_bytes=None,
        is_default=0,
        wants_default=int(new.make_default),
        error=None,
        created_at=call.at,
        updated_at=call.at,
    )
    images.insert(call.tx, image)
    return _outcome(call, _request(call, image, PREPARE))


def remove(call: Call, id_or_reference: str) -> Outcome[OperationView]:
    image = _known(images.find(call.tx, id_or_reference), id_or_reference)
    used_by = images.users(call.tx, image.id)
    if used_by:
        raise Conflict(
            "image.in_use", f"Image `{image.reference}` is used by {', '.join(used_by[:5])}", "move these tenants to another image"
        )
    removing = operations.open_of_image(call.tx, image.id, REMOVE)
    if removing is not None:
        return _outcome(call, removing)
    preparing = operations.open_of_image(call.tx, image.id, PREPARE)
    if preparing is not None:
        operations.fail(call.tx, preparing.id, call.at, "image.removed", "the image was removed while it was being prepared", "")
    images.remove(call.tx, image.id, call.at)
    return _outcome(call, _request(call, image, REMOVE))


def preflight(call: Call, id_or_reference: str) -> Outcome[OperationView]:
    """Check every tenant's configuration against this image. Running agents are not touched; the operation's result has the answer."""
    image = _known(images.choose(call.tx, id_or_reference), id_or_reference)
    require_ready(image)
    return _outcome(call, operations.open_of_image(call.tx, image.id, PREFLIGHT) or _request(call, image, PREFLIGHT))


def chosen(tx: Tx, id_or_reference: str) -> Image:
    """Return the image that a tenant is to run. Raises BadInput if it is unknown, Conflict if it is not ready."""
    image = images.choose(tx, id_or_reference)
    if image is None or image.wanted == "absent":
        raise BadInput("image.unknown", f"There is no image `{id_or_reference}`", "GET /api/images lists them", fields={"image": "unknown"})
    require_ready(image)
    return image


def require_ready(image: Image) -> None:
    if image.status == "lost":
        detail = f"Image `{image.reference}` is no longer on any machine"
        raise Conflict("image.lost", detail, "Prepare it again with POST /api/images, or choose another image")
    if image.status != "ready":
        raise Conflict(
            "image.not_ready", f"Image `{image.reference}` is not ready: it is {image.status}", "wait for it, or choose another image"
        )


def _known(image: Image | None, id_or_reference: str) -> Image:
    if image is None:
        raise NotFound("image.unknown", f"There is no image `{id_or_reference[:80]}`", "GET /api/images lists them")
    return image


def _reference(call: Call, new: NewImage) -> str:
    settings = call.context.settings
    match new.source:
        case "demo":
            return demo_reference(settings.instance)
        case "build":
            if new.binary is None or new.reference is not None:
                raise _not_allowed("binary", "build needs the path of a zeroclaw program and nothing else")
            if new.binary not in [str(path) for path in settings.image_binaries]:
                raise _not_allowed("binary", f"{new.binary} is not listed in `image_binaries` of the settings file")
            return built_reference(settings.instance, new.binary)
        case _:
            if new.reference is None or new.binary is not None:
                raise _not_allowed("reference", "pull needs a reference and nothing else")
            if not is_reference(new.reference):
                raise _not_allowed("reference", "reference is not the name of an image, for example ghcr.io/zeroclaw-labs/zeroclaw:v0.8.7")
            if not is_allowed(new.reference, settings.image_repositories):
                raise _not_allowed("reference", f"`{new.reference}` is not from a repository in `image_repositories` of the settings file")
            return new.reference


def _request(call: Call, image: Image, kind: str) -> Operation:
    operation = operations.requested(kind, call.actor.author, call.at, image_id=image.id)
    operations.insert(call.tx, operation)
    call.record(kind, image.id, reference=[None, image.reference])
    return operation


def _outcome(call: Call, operation: Operation) -> Outcome[OperationView]:
    return Outcome(views.operation(call.tx, operation), wake="")


def _not_allowed(field: str, detail: str) -> BadInput:
    return BadInput("image.not_allowed", detail, "docs/how-to/images.md", fields={field: detail})
