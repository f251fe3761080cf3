"""Images asked for again while there is one."""

from tests.web.conftest import Web

REFERENCE = "ghcr.io/zeroclaw-labs/zeroclaw:v0.8.7"


async def test_a_tag_that_is_pulled_again_stands_for_what_it_was_until_then(web: Web) -> None:
    ready = web.image(REFERENCE)
    asked = await web.client.post("/api/images", json={"source": "pull", "reference": REFERENCE})
    assert asked.status_code == 202
    assert (await web.client.post("/api/tenants", json={"slug": "shop", "image": REFERENCE})).status_code == 201
    shown = (await web.client.get("/api/tenants/shop")).json()["image"]
    assert shown["id"] == ready
    again = await web.client.post("/api/images", json={"source": "pull", "reference": REFERENCE})
    assert again.json()["id"] == asked.json()["id"], "asked twice is asked once"


async def test_what_is_pinned_is_looked_for_again(web: Web) -> None:
    """Somebody may have removed it from the engine."""
    reference = f"{REFERENCE}@sha256:{'c' * 64}"
    web.image(reference)
    asked = await web.client.post("/api/images", json={"source": "pull", "reference": reference})
    assert asked.status_code == 202
