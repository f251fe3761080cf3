"""Revisions: asked of the agent before they replace what runs, and taken back when it does not get healthy with them."""

from typing import Any

import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live

REFUSED = {"family": "ollama", "model": "big:cloud"}
"""A model of the cloud at an address of one's own: the agent's own validation refuses it, its parser does not."""


def save(platform: Platform, slug: str, provider: dict[str, Any]) -> dict[str, Any]:
    answer = platform.api("PATCH", f"/api/tenants/{slug}", {"provider": provider})
    assert answer.status == 202, answer
    return dict(answer.body)


def container(platform: Platform, slug: str) -> str:
    return platform.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", platform.names.container(slug))


def nothing_of_checks(platform: Platform) -> None:
    left = platform.docker("ps", "-aq", "--filter", "label=io.zcplatform.check")
    mounts = list((platform.settings.check_dir / "check").glob("*/zeroclaw"))
    assert (left, mounts) == ("", [])


def test_a_refused_revision_leaves_the_old_one_serving(platform: Platform) -> None:
    platform.create("refused")
    platform.do("refused", "deploy")
    bearer = platform.pair("refused")
    before = container(platform, "refused")
    ended = platform.end(save(platform, "refused", REFUSED))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "revision.refused")
    assert "uses ':cloud'" in ended["error"]["detail"], "the agent's own words"
    assert [step["name"] for step in ended["steps"] if step["status"] != "pending"] == ["image", "check"]
    assert container(platform, "refused") == before, "it was not touched"
    told = platform.tenant("refused")
    assert (told["state"], told["revision"], told["refused"]["revision"]) == ("running", 1, 2)
    assert told["reason"].startswith("running revision 1; revision 2 was taken back: ")
    assert "hi" in platform.talk("refused", bearer, "hi")
    nothing_of_checks(platform)

    platform.do("refused", "restart")
    assert platform.tenant("refused")["revision"] == 1, "a restart does not try it again"
    fine = save(platform, "refused", {**platform.provider(), "model": "echo-2"})
    assert "check" in [step["name"] for step in platform.finish(fine)["steps"]]
    told = platform.tenant("refused")
    assert (told["revision"], told["refused"], told["reason"]) == (3, None, "healthy and reachable")
    assert "again" in platform.talk("refused", bearer, "again"), "a paired device survives"
    platform.do("refused", "delete")
    invariants.check(platform)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["check", "take_back"])
def test_a_worker_killed_in_a_check_is_taken_up_by_the_next(platform: Platform, where: str, when: str) -> None:
    slug = f"kc-{where}-{when}".replace("_", "-")
    platform.create(slug)
    platform.do(slug, "deploy")
    platform.failpoint.write_text(f"update.{where}.{when}")
    operation = save(platform, slug, REFUSED if where == "take_back" else {**platform.provider(), "model": "echo-2"})
    assert platform.serve is not None
    platform.serve.wait(30)
    assert platform.serve.returncode == -9
    platform.start_serve()
    ended = platform.end(operation)
    assert ended["status"] == ("failed" if where == "take_back" else "succeeded")
    told = platform.wait_state(slug, "running")
    assert told["revision"] == (1 if where == "take_back" else 2)
    wait_until(lambda: platform.docker("ps", "-aq", "--filter", "label=io.zcplatform.check") == "", 10, "no checking container is left")
    platform.do(slug, "delete")
    invariants.check(platform)


def test_an_image_says_what_it_is_and_whether_it_takes_each_tenant(platform: Platform) -> None:
    image = next(one for one in platform.api("GET", "/api/images").body["items"] if one["is_default"])
    assert image["agent_version"].startswith("0.8.")
    assert {"telegram", "irc", "webhook"} <= set(image["channels"])
    platform.create("pre-good")
    platform.do("pre-good", "deploy")
    platform.create("pre-bad", provider=REFUSED)
    before = container(platform, "pre-good")
    ended = platform.finish(platform.api("POST", f"/api/images/{image['id']}/preflight").body)
    found = {one["tenant"]: one for one in ended["result"]["tenants"]}
    assert found["pre-good"]["accepted"]
    assert not found["pre-bad"]["accepted"]
    assert "uses ':cloud'" in found["pre-bad"]["reason"]
    assert container(platform, "pre-good") == before
    nothing_of_checks(platform)
    for slug in ("pre-good", "pre-bad"):
        platform.do(slug, "delete")
    invariants.check(platform)
