"""Revisions: checked by the agent before they replace what runs, and rolled back when it does not become healthy with them."""

import json
import os
from typing import Any

import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform import clock
from zcplatform.adapters import files
from zcplatform.core.differences import merged
from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT, LABEL_THROWAWAY
from zcplatform.ops import requests
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Context
from zcplatform.worker.configuration.configuration_check import CHECK

pytestmark = pytest.mark.live

ACTOR = Actor(id="tok_tests", kind=ActorKind.TOKEN, name="tests", bearer=Bearer(), is_super_admin=True)
REFUSED = {"providers": {"main": {"family": "ollama", "model": "big:cloud", "base_url": None}}}
"""A model of the cloud at an address of one's own: the agent's own validation refuses it, its parser does not. The API would not store it."""


def save(platform: Platform, slug: str, provider: dict[str, Any]) -> dict[str, Any]:
    answer = platform.api("PATCH", f"/api/tenants/{slug}", {"provider": provider})
    assert answer.status == 202, answer
    return dict(answer.body)


def unchecked(platform: Platform, slug: str, change: dict[str, Any]) -> dict[str, Any]:
    """Saved past all checks of ours, as a request of a version before, or a web process that was taken over, could."""
    at = clock.text(clock.now())

    def write(call: Call) -> str:
        tenant = requests.require_not_deleting(call.tx, slug)
        number = requests.revise(call, tenant, merged(requests.settings_of(call.tx, tenant), change), "unchecked")
        operation = requests.apply_to_running(call, tenant, wanted_revision=number)[1]
        assert operation is not None
        return operation.id

    with platform.database() as database:
        context = Context(database, platform.settings, b"", b"", lambda _: None)
        return {"id": database.write_now(lambda tx: write(Call(tx, context, ACTOR, at))), "kind": "tenant.update"}


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
    ended = platform.end(unchecked(platform, "refused", REFUSED))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "revision.rejected")
    assert "uses ':cloud'" in ended["error"]["detail"], "the agent's own words"
    assert [step["name"] for step in ended["steps"] if step["status"] != "pending"] == ["image", "check"]
    assert container(platform, "refused") == before, "it was not touched"
    told = platform.tenant("refused")
    assert (told["state"], told["revision"], told["rejected"]["revision"]) == ("running", 1, 2)
    assert told["reason"].startswith("running revision 1; revision 2 was rolled back: ")
    assert "hi" in platform.talk("refused", bearer, "hi")
    nothing_of_checks(platform)

    platform.do("refused", "restart")
    assert platform.tenant("refused")["revision"] == 1, "a restart does not try it again"
    fine = save(platform, "refused", {**platform.provider(), "model": "echo-2"})
    assert "check" in [step["name"] for step in platform.finish(fine)["steps"]]
    told = platform.tenant("refused")
    assert (told["revision"], told["rejected"], told["reason"]) == (3, None, "healthy and reachable")
    assert "again" in platform.talk("refused", bearer, "again"), "a paired device survives"
    platform.do("refused", "delete")
    invariants.check(platform)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", ["check", "roll_back"])
def test_a_worker_killed_in_a_check_is_taken_up_by_the_next(platform: Platform, where: str, when: str) -> None:
    slug = f"kc-{where}-{when}".replace("_", "-")
    platform.create(slug)
    platform.do(slug, "deploy")
    platform.failpoint.write_text(f"update.{where}.{when}")
    if where == "roll_back":
        operation = unchecked(platform, slug, REFUSED)
    else:
        operation = save(platform, slug, {**platform.provider(), "model": "echo-2"})
    assert platform.serve is not None
    platform.serve.wait(30)
    assert platform.serve.returncode == -9
    platform.start_serve()
    ended = platform.end(operation)
    assert ended["status"] == ("failed" if where == "roll_back" else "succeeded")
    told = platform.wait_state(slug, "running")
    assert told["revision"] == (1 if where == "roll_back" else 2)
    wait_until(lambda: platform.docker("ps", "-aq", "--filter", "label=io.zcplatform.check") == "", 10, "no checking container is left")
    platform.do(slug, "delete")
    invariants.check(platform)


def test_what_a_check_left_behind_is_swept(platform: Platform) -> None:
    tenant_id = platform.create("swept")
    platform.do("swept", "deploy")
    image = platform.api("GET", "/api/images").body["items"][0]["image_id"]
    mine, check = f"--label={LABEL_INSTANCE}={platform.settings.instance}", f"--label={LABEL_THROWAWAY}=1"
    name = platform.names.check("swept", CHECK)
    left = platform.docker("create", "--name", name, mine, check, f"--label={LABEL_TENANT}={tenant_id}", image)
    foreign = platform.docker("create", f"--label={LABEL_INSTANCE}=other", check, image)
    root = platform.settings.check_dir / CHECK
    files.config_mount(root, "swept", platform.settings.uid_span.first, {"config.toml": b"left"})
    wait_until(lambda: platform.docker("ps", "-aq", "--no-trunc", "--filter", f"id={left}") == "", 15, "its container is removed")
    wait_until(lambda: files.config_mounts(root) == set(), 15, "its mount is removed")
    assert platform.docker("ps", "-aq", "--no-trunc", "--filter", f"id={foreign}") == foreign, "another installation's is not touched"
    platform.docker("rm", foreign)
    assert platform.tenant("swept")["state"] == "running"
    platform.do("swept", "delete")
    invariants.check(platform)


def test_an_image_says_what_it_is_and_whether_it_takes_each_tenant(platform: Platform) -> None:
    image = next(one for one in platform.api("GET", "/api/images").body["items"] if one["is_default"])
    assert image["agent_version"].startswith("0.8.")
    assert {"telegram", "irc", "webhook"} <= set(image["channels"])
    platform.create("pre-good")
    platform.do("pre-good", "deploy")
    platform.create("pre-bad")
    with platform.database() as database:
        text = json.dumps(REFUSED)
        database.write_now(
            lambda tx: tx.execute(
                "UPDATE revisions SET settings = ? WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'pre-bad')", (text,)
            )
        )
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


def edit(platform: Platform, slug: str, before: str, after: str) -> None:
    """As the agent or its dashboard does: the file is replaced by another one of the tenant's."""
    path = platform.settings.config_dir / slug / "zeroclaw" / "config.toml"
    found = path.stat()
    other = path.with_name("edited.toml")
    other.write_text(path.read_text().replace(before, after))
    os.chown(other, found.st_uid, found.st_gid)
    other.replace(path)


def test_two_quick_saves_are_one_restart_with_the_last_content(platform: Platform) -> None:
    platform.create("quick")
    platform.do("quick", "deploy")
    first = save(platform, "quick", {**platform.provider(), "model": "echo-2"})
    second = save(platform, "quick", {**platform.provider(), "model": "echo-3"})
    ended = platform.finish(second)
    assert platform.api("GET", f"/api/operations/{first['id']}").body["status"] == "superseded"
    assert [step["attempts"] for step in ended["steps"] if step["name"] == "start"] == [1]
    assert not [
        step for step in platform.api("GET", f"/api/operations/{first['id']}").body["steps"] if step["name"] == "start" and step["attempts"]
    ]
    assert platform.tenant("quick")["provider"]["model"] == "echo-3"
    assert "echo-3" in (platform.settings.config_dir / "quick" / "zeroclaw" / "config.toml").read_text()
    platform.do("quick", "delete")
    invariants.check(platform)


def test_instructions_lie_in_the_workspace(platform: Platform) -> None:
    platform.create("taught")
    platform.api("PATCH", "/api/tenants/taught/config", {"settings": {"instructions": "Answer in verse."}})
    platform.do("taught", "deploy")
    path = platform.settings.tenants_dir / "taught" / "agents" / "main" / "workspace" / "AGENTS.md"
    assert path.read_text() == "Answer in verse."
    assert path.stat().st_uid == path.parent.stat().st_uid != 0
    kept = platform.root / "of-the-host"
    kept.write_text("kept")
    path.unlink()
    path.symlink_to(kept)
    platform.finish(platform.api("PATCH", "/api/tenants/taught/config", {"settings": {"instructions": "Answer in prose."}}).body)
    assert (kept.read_text(), kept.stat().st_uid) == ("kept", 0), "a link that the agent put there is not followed"
    assert (path.is_symlink(), path.read_text(), path.stat().st_uid) == (False, "Answer in prose.", path.parent.stat().st_uid)
    platform.finish(platform.api("PATCH", "/api/tenants/taught/config", {"settings": {"instructions": None}}).body)
    assert not path.exists()
    platform.do("taught", "delete")


def test_edits_in_the_agents_file_are_told_kept_and_discarded(platform: Platform) -> None:
    platform.create("edits")
    platform.do("edits", "deploy")
    bearer = platform.pair("edits")
    assert platform.api("GET", "/api/tenants/edits/drift").body["changes"] == []

    edit(platform, "edits", 'model = "echo"', 'model = "echo-9"')
    wait_until(lambda: platform.tenant("edits")["has_drift"], 15, "the edit is read back")
    change = {"path": "providers.models.custom.main.model", "rendered": "echo", "found": "echo-9", "can_be_kept": True}
    assert platform.api("GET", "/api/tenants/edits/drift").body["changes"] == [change]
    platform.finish(platform.api("POST", "/api/tenants/edits/drift/keep").body)
    told = platform.tenant("edits")
    assert (told["provider"]["model"], told["revision"], told["has_drift"]) == ("echo-9", 2, False)

    edit(platform, "edits", "allow_self_upgrade = false", "allow_self_upgrade = true")
    wait_until(lambda: platform.tenant("edits")["has_drift"], 15, "the edit is read back")
    assert platform.api("POST", "/api/tenants/edits/drift/keep").body["code"] == "drift.not_keepable"
    platform.finish(platform.api("POST", "/api/tenants/edits/drift/discard").body)
    assert "allow_self_upgrade = false" in (platform.settings.config_dir / "edits" / "zeroclaw" / "config.toml").read_text()
    assert not platform.tenant("edits")["has_drift"]
    assert platform.api("POST", "/api/tenants/edits/drift/discard").body["code"] == "drift.none"

    edit(platform, "edits", 'model = "echo-9"', 'model = "echo-8"')
    platform.do("edits", "restart")
    assert platform.tenant("edits")["has_drift"], "what was read back before a restart can still be kept"
    assert "back" in platform.talk("edits", bearer, "back"), "a paired device survives all of it"
    platform.do("edits", "delete")
    invariants.check(platform)


def test_a_revision_that_does_not_get_healthy_is_taken_back(platform: Platform) -> None:
    """The agent passes the check and refuses to start: its own folder is somebody else's when the new container comes."""
    platform.create("sick")
    platform.do("sick", "deploy")
    bearer = platform.pair("sick")
    platform.failpoint.write_text("update.configuration.after")
    operation = save(platform, "sick", {**platform.provider(), "model": "echo-2"})
    assert platform.serve is not None
    platform.serve.wait(30)
    folder = platform.settings.tenants_dir / "sick" / "data" / ".lifecycle"
    owner = folder.stat().st_uid
    os.chown(folder, 0, 0)
    platform.start_serve()
    wait_until(lambda: platform.tenant("sick")["rejected"] is not None, 40, "the revision is rolled back")
    os.chown(folder, owner, owner)
    ended = platform.end(operation, 60)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "revision.rejected")
    assert "ended with code 1" in ended["error"]["detail"], "how the agent ended, and its words"
    told = platform.wait_state("sick", "running")
    assert (told["revision"], told["provider"]["model"], told["rejected"]["revision"]) == (1, "echo", 2)
    assert told["reason"].startswith("running revision 1; revision 2 was rolled back: ")
    assert "well" in platform.talk("sick", bearer, "well")
    assert [one["outcome"] for one in platform.api("GET", "/api/tenants/sick/revisions").body["items"]] == ["rejected", "good"]
    platform.do("sick", "delete")
    invariants.check(platform)
