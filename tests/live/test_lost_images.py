"""An image that somebody removed from the engine."""

from typing import Any

import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live


def test_a_missing_image_is_reported_and_nothing_is_pulled(platform: Platform) -> None:
    """F13 too: an image that somebody removed says so, is chosen for no new tenant, and is found again when it is back."""
    image = platform.api("GET", "/api/images").body["items"][0]
    platform.create("imageless")
    answer = platform.api("POST", "/api/tenants", {"slug": "pinned", "image": image["id"]})
    assert answer.status == 201, answer
    platform.docker("tag", image["image_id"], "kept:latest")
    saved = platform.root / "image.tar"
    platform.docker("save", "-o", str(saved), "kept:latest", image["reference"])
    platform.docker("rmi", "-f", image["image_id"])
    try:
        wait_until(lambda: _image(platform, image["id"])["status"] == "lost", 30, "the image is lost")
        answer = platform.api("POST", "/api/tenants/imageless/deploy")
        assert (answer.status, answer.body["code"]) == (409, "image.lost")
        ended = platform.end(platform.ask("pinned", "deploy"))
        assert (ended["status"], ended["error"]["code"]) == ("failed", "image.missing")
        assert platform.tenant("pinned")["state"] == "failed"
    finally:
        platform.docker("load", "-i", str(saved))
        saved.unlink()
    wait_until(lambda: _image(platform, image["id"])["status"] == "ready", 30, "the image is back")
    for slug in ("pinned", "imageless"):
        platform.do(slug, "deploy")
        platform.do(slug, "delete")
    invariants.check(platform)


def _image(platform: Platform, image_id: str) -> dict[str, Any]:
    return next(item for item in platform.api("GET", "/api/images").body["items"] if item["id"] == image_id)
