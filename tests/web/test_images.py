"""Images asked for again while there is one."""

from tests.web.conftest import AT, Web
from zcplatform.store import images

REFERENCE = "ghcr.io/zeroclaw-labs/zeroclaw:v0.8.7"


async def test_a_tag_that_is_pulled_again_stands_for_what_it_was_until_then(web: Web) -> None:
    ready = web.image(REFERENCE)
    asked = await web.client.post("/api/images", json={"source": "pull", "reference": REFERENCE})
    assert asked.status_code == 202
    assert (await web.client.post("/api/tenants", json={"slug": "shop", "image": REFERENCE})).status_code == 201
    shown = (await web.client.get("/api/tenants/shop")).json()["image"]
    assert shown["id"] == ready
    again = await web.client.post("/api/images", json={"source": "pull", "reference": REFERENCE})
    assert again.json()["id"] == asked.json()["id"], "a repeated request is one request"


async def test_what_is_pinned_is_looked_for_again(web: Web) -> None:
    """Somebody may have removed it from the engine."""
    reference = f"{REFERENCE}@sha256:{'c' * 64}"
    web.image(reference)
    asked = await web.client.post("/api/images", json={"source": "pull", "reference": reference})
    assert asked.status_code == 202


async def test_the_default_image_has_an_heir(web: Web) -> None:
    """The newest other one that is ready."""
    made = [web.image(), web.image(REFERENCE), web.image("zc-other:latest")]
    web.database.write_now(lambda tx: images.failed(tx, made[2], AT, "no"))  # type: ignore[arg-type]
    assert (await web.client.delete(f"/api/images/{made[0]}")).status_code == 202
    items = (await web.client.get("/api/images")).json()["items"]
    assert [item["id"] for item in items if item["is_default"]] == [made[1]]
