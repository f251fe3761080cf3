"""Agent images. Requests add them, the worker prepares or removes them, and the engine's image id pins them."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from zcplatform import bounded_json
from zcplatform.ids import LOCAL, ImageId, NodeId
from zcplatform.store import events
from zcplatform.store.db import Tx, columns, many, names, one, require, scalar


@dataclass(frozen=True)
class Image:
    """`image_id` is the engine's id (`sha256:…`). `digest` is the registry's or, for an image built here, a hash of its files and recipe.

    `status` is the row's; a ready image that no machine has any more is `lost`.
    """

    id: ImageId
    source: str
    reference: str
    wanted: str
    status: str
    image_id: str | None
    digest: str | None
    agent_version: str | None
    size_bytes: int | None
    is_default: int
    wants_default: int
    error: str | None
    created_at: str
    updated_at: str
    asked_version: str | None = None
    """The version that the reference names; `agent_version` is what the program itself reports."""
    channels: str | None = None
    """JSON list of the channel types that are compiled in; None while unknown."""

    @property
    def channel_types(self) -> frozenset[str] | None:
        return None if self.channels is None else frozenset(bounded_json.loads(self.channels))


_PRESENT = "id IN (SELECT image_id FROM image_places)"
_SELECT = (
    "SELECT "
    + ", ".join(columns(Image)).replace("status", f"CASE WHEN status = 'ready' AND NOT {_PRESENT} THEN 'lost' ELSE status END", 1)
    + " FROM images "
)


def insert(tx: Tx, image: Image) -> None:
    marks = ", ".join("?" for _ in columns(Image))
    tx.execute(f"INSERT INTO images ({names(Image)}) VALUES ({marks})", [getattr(image, column) for column in columns(Image)])
    _tell(tx, image.id, image.created_at)


def get(tx: Tx, image_id: str) -> Image | None:
    return one(tx, Image, _SELECT + "WHERE id = ?", image_id)


def by_ids(tx: Tx, image_ids: Collection[str]) -> dict[str, Image]:
    found = many(tx, Image, _SELECT + "WHERE id IN (SELECT value FROM json_each(?))", json.dumps(sorted(image_ids)))
    return {image.id: image for image in found}


def find(tx: Tx, id_or_reference: str) -> Image | None:
    """Find an image by id, reference or engine id; the newest one that is not removed."""
    return one(
        tx,
        Image,
        _SELECT + "WHERE status != 'removed' AND (id = ? OR reference = ? OR image_id = ?) ORDER BY id DESC",
        id_or_reference,
        id_or_reference,
        id_or_reference,
    )


def choose(tx: Tx, id_or_reference: str) -> Image | None:
    """Find the image to run: the newest ready one, or else what `find` returns. While a tag is pulled again, it still means the old image."""
    statement = _SELECT + f"WHERE status = 'ready' AND {_PRESENT} AND (id = ?1 OR reference = ?1 OR image_id = ?1) ORDER BY id DESC LIMIT 1"
    return one(tx, Image, statement, id_or_reference) or find(tx, id_or_reference)


def same_content(tx: Tx, image_id: ImageId, reference: str, digest: str) -> Image | None:
    """Return another row with the same reference and content, if there is one."""
    statement = _SELECT + "WHERE status = 'ready' AND reference = ? AND digest = ? AND id != ? ORDER BY id DESC"
    return one(tx, Image, statement, reference, digest, image_id)


def default(tx: Tx) -> Image | None:
    """Return the image for a new tenant: the default or, if that is lost, the newest ready one."""
    found = one(tx, Image, _SELECT + "WHERE is_default = 1")
    if found is None or found.status != "lost":
        return found
    return one(tx, Image, _SELECT + f"WHERE status = 'ready' AND {_PRESENT} ORDER BY id DESC LIMIT 1") or found


def everything(tx: Tx) -> list[Image]:
    return many(tx, Image, _SELECT + "WHERE status != 'removed' ORDER BY id")


def unsettled(tx: Tx) -> list[Image]:
    """Return images that the worker must prepare or remove."""
    return many(
        tx,
        Image,
        _SELECT + "WHERE (wanted = 'present' AND status = 'preparing') OR (wanted = 'absent' AND status != 'removed') ORDER BY id",
    )


def ready(
    tx: Tx,
    image_id: ImageId,
    at: str,
    *,
    engine_id: str,
    digest: str | None,
    agent_version: str | None,
    size_bytes: int,
    asked_version: str | None = None,
    channels: str | None = None,
) -> None:
    """Record that an image is ready. It becomes the default if it is the first one, or if that was requested.

    An image that was removed meanwhile keeps the engine's id, so that the removal finds it.
    """
    tx.execute(
        "UPDATE images SET image_id = ?, digest = ?, agent_version = ?, size_bytes = ?, asked_version = ?, channels = ?, error = NULL, updated_at = ?"
        " WHERE id = ?",
        (engine_id, digest, agent_version, size_bytes, asked_version, channels, at, image_id),
    )
    tx.execute("UPDATE images SET status = 'ready' WHERE id = ? AND wanted = 'present'", (image_id,))
    _set_places(tx, image_id, (LOCAL,), at)
    image = require(get(tx, image_id))
    if image.status == "ready" and (image.wants_default or default(tx) is None):
        make_default(tx, image_id, at)
    else:
        _tell(tx, image_id, at)


def set_engine_id(tx: Tx, image_id: ImageId, engine_id: str, at: str) -> None:
    """Record that the engine now has the image under another id."""
    tx.execute("UPDATE images SET image_id = ?, updated_at = ? WHERE id = ?", (engine_id, at, image_id))
    _set_places(tx, image_id, (LOCAL,), at)
    _tell(tx, image_id, at)


def keep_after_failed_removal(tx: Tx, image_id: ImageId, at: str) -> None:
    """Keep an image whose removal failed because something uses it."""
    tx.execute("UPDATE images SET wanted = 'present', status = 'ready', updated_at = ? WHERE id = ?", (at, image_id))
    _set_places(tx, image_id, (LOCAL,), at)
    if default(tx) is None:
        make_default(tx, image_id, at)
    else:
        _tell(tx, image_id, at)


def failed(tx: Tx, image_id: ImageId, at: str, error: str) -> None:
    tx.execute("UPDATE images SET status = 'failed', error = ?, updated_at = ? WHERE id = ?", (error, at, image_id))
    _tell(tx, image_id, at)


def remove(tx: Tx, image_id: ImageId, at: str) -> None:
    """Record the removal. If the image was the default, the newest other ready one becomes it, so that there is a default while there is an image."""
    tx.execute("UPDATE images SET wanted = 'absent', status = 'removing', is_default = 0, updated_at = ? WHERE id = ?", (at, image_id))
    _tell(tx, image_id, at)
    if default(tx) is None:
        heir = one(tx, Image, _SELECT + "WHERE status = 'ready' ORDER BY " + _PRESENT + " DESC, id DESC LIMIT 1")
        if heir is not None:
            make_default(tx, heir.id, at)


def removed(tx: Tx, image_id: ImageId, at: str) -> None:
    tx.execute("UPDATE images SET status = 'removed', updated_at = ? WHERE id = ?", (at, image_id))
    _set_places(tx, image_id, (), at)
    _tell(tx, image_id, at)


def places(tx: Tx, image_id: ImageId) -> set[NodeId]:
    """Return the machines that have the image."""
    return {NodeId(node) for (node,) in tx.execute("SELECT node_id FROM image_places WHERE image_id = ?", (image_id,))}


def record_places(tx: Tx, image_id: ImageId, nodes: Collection[NodeId], at: str) -> None:
    """Record which machines have the image. An event says when it is lost, or available again."""
    before = require(get(tx, image_id)).status
    _set_places(tx, image_id, nodes, at)
    if require(get(tx, image_id)).status != before:
        _tell(tx, image_id, at)


def _set_places(tx: Tx, image_id: ImageId, nodes: Collection[NodeId], at: str) -> None:
    tx.execute("DELETE FROM image_places WHERE image_id = ?", (image_id,))
    for node in sorted(nodes):
        tx.execute("INSERT INTO image_places (image_id, node_id, seen_at) VALUES (?, ?, ?)", (image_id, node, at))


def make_default(tx: Tx, image_id: ImageId, at: str) -> None:
    tx.execute("UPDATE images SET is_default = 0 WHERE is_default = 1")
    tx.execute("UPDATE images SET is_default = 1, updated_at = ? WHERE id = ?", (at, image_id))
    _tell(tx, image_id, at)


def request_default(tx: Tx, image_id: ImageId) -> None:
    """Make the image the default as soon as it is ready."""
    tx.execute("UPDATE images SET wants_default = 1 WHERE id = ?", (image_id,))


def users(tx: Tx, image_id: ImageId) -> list[str]:
    """Return the slugs of the tenants that run the image, are to run it, or would be rolled back to it."""
    rows = tx.execute(
        "SELECT slug FROM tenants WHERE deleted_at IS NULL AND (last_good_image_id = ?1 OR (image_id = ?1 AND NOT"
        " (last_good_revision IS NOT NULL AND rejected_image_id IS image_id AND rejected_revision IS wanted_revision))) ORDER BY slug",
        (image_id,),
    )
    return [slug for (slug,) in rows]


def same_engine_id(tx: Tx, engine_id: str) -> int:
    """Return how many rows refer to this image of the engine."""
    return int(scalar(tx, "SELECT count(*) FROM images WHERE image_id = ? AND status = 'ready'", engine_id))


def _tell(tx: Tx, image_id: ImageId, at: str) -> None:
    image = require(get(tx, image_id))
    events.append(tx, at, "image.status", object_id=image_id, status=image.status, reference=image.reference, error=image.error)
