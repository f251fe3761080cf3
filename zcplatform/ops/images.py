"""What may be asked of agent images. Rows can not widen what the settings file allows: the worker checks each source again."""

from dataclasses import dataclass

from zcplatform.core.images import built_reference, demo_reference, is_allowed, is_reference
from zcplatform.errors import BadInput, Conflict, NotFound
from zcplatform.ids import new_image_id
from zcplatform.ops.context import Actor, Context
from zcplatform.store import audit, images, operations
from zcplatform.store.db import Tx
from zcplatform.store.images import Image
from zcplatform.store.operations import Operation

PREPARE, REMOVE, PREFLIGHT = "image.prepare", "image.remove", "image.preflight"


@dataclass(frozen=True)
class Wish:
    source: str
    reference: str | None
    binary: str | None
    make_default: bool


def prepare(tx: Tx, context: Context, actor: Actor, at: str, wish: Wish) -> Operation:
    """Ask for an image. It is asked for again where there is one already: a tag may stand for something else now, what `build` and `demo` make
    may be another, and somebody may have removed it from the engine. Where it is there, the operation's result names it."""
    reference = _reference(context, wish)
    known = images.find(tx, reference)
    if known is not None and known.wanted == "present":
        if wish.make_default and known.status == "ready":
            images.make_default(tx, known.id, at)
            audit.append(tx, actor.entry(at, "image.make_default", known.id))
        under_way = operations.open_of_image(tx, known.id, PREPARE)
        if under_way is not None:
            if wish.make_default:
                images.wish_default(tx, known.id)
            return under_way
    image = Image(
        id=new_image_id(),
        source=wish.source,
        reference=reference,
        wanted="present",
        status="preparing",
        image_id=None,
        digest=None,
        agent_version=None,
        size_bytes=None,
        is_default=0,
        wants_default=int(wish.make_default),
        error=None,
        created_at=at,
        updated_at=at,
    )
    images.insert(tx, image)
    return _operation(tx, actor, image, PREPARE, at)


def remove(tx: Tx, actor: Actor, at: str, id_or_reference: str) -> tuple[Image, Operation]:
    image = images.find(tx, id_or_reference)
    if image is None:
        raise NotFound("image.unknown", f"There is no image `{id_or_reference[:80]}`", "GET /api/images lists them")
    used_by = images.users(tx, image.id)
    if used_by:
        raise Conflict(
            "image.in_use", f"Image `{image.reference}` is used by {', '.join(used_by[:5])}", "move these tenants to another image"
        )
    removing = operations.open_of_image(tx, image.id, REMOVE)
    if removing is not None:
        return image, removing
    preparing = operations.open_of_image(tx, image.id, PREPARE)
    if preparing is not None:
        operations.fail(tx, preparing.id, at, "image.removed", "the image was removed while it was being prepared", "")
    images.remove(tx, image.id, at)
    return image, _operation(tx, actor, image, REMOVE, at)


def preflight(tx: Tx, actor: Actor, at: str, id_or_reference: str) -> Operation:
    """Ask whether every tenant's configuration would be accepted by this image; nothing that runs is touched. The operation's result tells."""
    image = images.choose(tx, id_or_reference)
    if image is None:
        raise NotFound("image.unknown", f"There is no image `{id_or_reference[:80]}`", "GET /api/images lists them")
    if image.status != "ready":
        raise Conflict("image.not_ready", f"Image `{image.reference}` is {image.status}", "wait for it, or choose another image")
    return operations.open_of_image(tx, image.id, PREFLIGHT) or _operation(tx, actor, image, PREFLIGHT, at)


def _reference(context: Context, wish: Wish) -> str:
    match wish.source:
        case "demo":
            return demo_reference(context.settings.instance)
        case "build":
            if wish.binary is None or wish.reference is not None:
                raise _bad("binary", "build needs the path of a zeroclaw program and nothing else")
            if wish.binary not in [str(path) for path in context.settings.image_binaries]:
                raise _bad("binary", f"{wish.binary} is not named in `image_binaries` of the settings file")
            return built_reference(context.settings.instance, wish.binary)
        case _:
            if wish.reference is None or wish.binary is not None:
                raise _bad("reference", "pull needs a reference and nothing else")
            if not is_reference(wish.reference):
                raise _bad("reference", "reference is not the name of an image, for example ghcr.io/zeroclaw-labs/zeroclaw:v0.8.7")
            if not is_allowed(wish.reference, context.settings.image_repositories):
                raise _bad("reference", f"`{wish.reference}` is not from a repository in `image_repositories` of the settings file")
            return wish.reference


def _operation(tx: Tx, actor: Actor, image: Image, kind: str, at: str) -> Operation:
    operation = operations.asked(kind, actor.author, at, image_id=image.id)
    operations.insert(tx, operation)
    audit.append(tx, actor.entry(at, kind, image.id, reference=[None, image.reference]))
    return operation


def _bad(field: str, detail: str) -> BadInput:
    return BadInput("image.not_allowed", detail, "docs/how-to/images.md", fields={field: detail})
