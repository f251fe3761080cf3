"""Images: prepared once, pinned, removed when nobody uses them; nothing but what the settings allow."""

from typing import Any

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


def ready_images(platform: Platform) -> list[dict[str, Any]]:
    return [item for item in platform.api("GET", "/api/images").body["items"] if item["status"] == "ready"]


def test_an_image_made_again_of_the_same_files_is_the_one_that_is_there(platform: Platform) -> None:
    before = ready_images(platform)
    for _ in range(2):
        ended = platform.make_image()
        assert ended["result"] == {"image": before[0]["id"], "digest": before[0]["digest"], "is_new": False}
    assert ready_images(platform) == before


def test_who_ran_with_an_image_that_is_gone_from_the_engine_runs_again_when_it_is_made_again(platform: Platform) -> None:
    """That is what the hint of a missing image says to do."""
    before = ready_images(platform)
    assert len(before) == 1
    platform.create("anew")
    platform.do("anew", "deploy")
    platform.docker("rm", "-f", platform.names.container("anew"))
    platform.docker("rmi", "-f", before[0]["image_id"])
    platform.wait_state("anew", "failed")
    assert platform.make_image()["result"] == {"image": before[0]["id"], "digest": before[0]["digest"], "is_new": False}
    platform.wait_state("anew", "running")
    platform.do("anew", "delete")
    after = ready_images(platform)
    assert [(item["id"], item["is_default"]) for item in after] == [(before[0]["id"], True)]
    assert after[0]["image_id"] != before[0]["image_id"]
    assert platform.docker("image", "inspect", "-f", "{{.Id}}", after[0]["image_id"]) == after[0]["image_id"]


def test_metrics_tell_of_both_processes(platform: Platform) -> None:
    text = platform.api("GET", "/metrics").body
    assert "zcplatform_web_request_seconds_count" in text
    assert "zcplatform_worker_step_seconds_count" in text
    assert "zcplatform_worker_engine_up 1.0" in text
