"""Images: prepared once, pinned, removed when nobody uses them; nothing but what the settings allow."""

import pytest

from tests.live.platform import Platform

pytestmark = pytest.mark.live


def test_a_registry_that_does_not_answer_is_told(platform: Platform) -> None:
    answer = platform.api("POST", "/api/images", {"source": "pull", "reference": "registry.invalid/zeroclaw:v0.8.7"})
    ended = platform.end(answer.body, 60)
    assert ended["status"] == "failed"
    assert "registry.invalid" in ended["error"]["detail"]
    item = next(item for item in platform.api("GET", "/api/images").body["items"] if item["source"] == "pull")
    assert (item["status"], item["is_default"]) == ("failed", False)
    platform.finish(platform.api("DELETE", f"/api/images/{item['id']}").body)
    assert all(left["id"] != item["id"] for left in platform.api("GET", "/api/images").body["items"])


@pytest.mark.parametrize(
    "body",
    [
        {"source": "pull", "reference": "docker.io/library/debian:12"},
        {"source": "pull", "reference": "registry.invalid/zeroclaw-evil:1"},
        {"source": "build", "binary": "/etc/shadow"},
        {"source": "build", "binary": "../../etc/shadow"},
    ],
)
def test_what_the_settings_do_not_allow_is_refused(platform: Platform, body: dict[str, str]) -> None:
    answer = platform.api("POST", "/api/images", body)
    assert (answer.status, answer.body["code"]) == (422, "image.not_allowed")


def test_an_image_in_use_stays(platform: Platform) -> None:
    item = next(item for item in platform.api("GET", "/api/images").body["items"] if item["is_default"])
    platform.create("user", image=item["id"])
    answer = platform.api("DELETE", f"/api/images/{item['id']}")
    assert (answer.status, answer.body["code"]) == (409, "image.in_use")
    assert "user" in answer.body["detail"]
    platform.do("user", "delete")


def test_a_second_demo_image_stands_for_the_same_and_goes_alone(platform: Platform) -> None:
    """Built again from the same files it is the same image: removing one row leaves the other's image on the host."""
    before = next(item for item in platform.api("GET", "/api/images").body["items"] if item["is_default"])
    platform.make_image()
    after = [item for item in platform.api("GET", "/api/images").body["items"] if item["status"] == "ready"]
    assert [item["id"] for item in after if item["is_default"]] == [before["id"]]
    second = next(item for item in after if item["id"] != before["id"])
    platform.finish(platform.api("DELETE", f"/api/images/{second['id']}").body)
    platform.create("still")
    platform.do("still", "deploy")
    platform.do("still", "delete")


def test_metrics_tell_of_both_processes(platform: Platform) -> None:
    text = platform.api("GET", "/metrics").body
    assert "zcplatform_web_request_seconds_count" in text
    assert "zcplatform_worker_step_seconds_count" in text
    assert "zcplatform_worker_engine_up 1.0" in text
