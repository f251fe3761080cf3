"""Images: one that no machine has any more says so, and is not chosen (F13)."""

from zcplatform.ids import LOCAL, ImageId, new_image_id
from zcplatform.store import events, images
from zcplatform.store.db import Database, Tx, scalar
from zcplatform.store.images import Image

AT = "2026-01-01T00:00:00.000Z"


def _ready(tx: Tx, reference: str) -> ImageId:
    image_id = new_image_id()
    images.insert(tx, Image(image_id, "pull", reference, "present", "preparing", None, None, None, None, 0, 0, None, AT, AT))
    images.ready(tx, image_id, AT, engine_id="sha256:" + image_id, digest=None, agent_version=None, size_bytes=1)
    return image_id


def test_a_lost_image_says_so_and_is_not_chosen(database: Database) -> None:
    first, second = database.write_now(lambda tx: (_ready(tx, "agent:1"), _ready(tx, "agent:2")))
    assert (database.read(images.default) or None) is not None

    def status(image_id: ImageId) -> str:
        found = database.read(lambda tx: images.get(tx, image_id))
        assert found is not None
        return found.status

    def chosen() -> str | None:
        found = database.read(images.default)
        return found.id if found else None

    assert (status(first), chosen()) == ("ready", first)
    database.write_now(lambda tx: images.record_places(tx, first, (), AT))
    assert (status(first), chosen()) == ("lost", second)
    assert (database.read(lambda tx: images.choose(tx, "agent:1")) or images).status == "lost"  # type: ignore[union-attr]
    database.write_now(lambda tx: images.record_places(tx, second, (), AT))
    assert chosen() == first, "with nothing else left it is named, and refused as lost"
    database.write_now(lambda tx: images.record_places(tx, first, (LOCAL,), AT))
    assert (status(first), chosen()) == ("ready", first)


def test_what_is_seen_again_as_it_was_is_not_reported(database: Database) -> None:
    image_id = database.write_now(lambda tx: _ready(tx, "agent:1"))
    before = database.read(events.newest_id)
    database.write_now(lambda tx: images.record_places(tx, image_id, (LOCAL,), AT))
    assert database.read(events.newest_id) == before
    database.write_now(lambda tx: images.record_places(tx, image_id, (), AT))
    assert database.read(lambda tx: scalar(tx, "SELECT data FROM events ORDER BY id DESC LIMIT 1")).count('"lost"') == 1
