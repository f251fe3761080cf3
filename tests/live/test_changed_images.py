"""A tenant's image is changed: the new image's own agent checks the configuration before it replaces what runs, and an image that does not become healthy is rolled back."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform import clock
from zcplatform.ids import new_image_id
from zcplatform.store import images
from zcplatform.store.db import Tx
from zcplatform.store.images import Image

pytestmark = pytest.mark.live

FINE = 'exec {agent} "$@"'
REFUSES = '[ "$1" = config ] && {{ echo "Error: this agent knows no providers any more"; exit 1; }}\nexec {agent} "$@"'
ENDS = 'case "$*" in *daemon*) echo "Error: the moon is in the way"; exit 4;; esac\nexec {agent} "$@"'
HANGS = 'case "$*" in *daemon*) exec /odd/busybox sleep 600;; esac\nexec {agent} "$@"'
RESTART = ("image", "check", "unroute", "stop", "remove", "configuration", "container", "start", "health", "route", "verify")
ROUNDS = int(os.environ.get("ZCP_ROUNDS", "1"))
# The steps of a restart for another reason: those between which it is written down which image counts, each time; all of them in scripts/soak.
POINTS = (*(RESTART if ROUNDS > 1 else ("check", "remove", "health", "verify")), "roll_back")

Make = Callable[[str, str], str]


@pytest.fixture
def make(platform: Platform, tmp_path: Path) -> Iterator[Make]:
    """Images of the platform's own agent behind a script: name and script in, id of the row out. Gone with the test."""
    made: list[str] = []

    def one(name: str, script: str) -> str:
        made.append(_derived(platform, tmp_path, name, script))
        return made[-1]

    yield one
    for row in made:
        platform.finish(platform.api("DELETE", f"/api/images/{row}").body)


def _derived(platform: Platform, folder: Path, name: str, script: str) -> str:
    base = next(item for item in platform.api("GET", "/api/images").body["items"] if item["is_default"])
    agent = json.loads(platform.docker("inspect", "-f", "{{json .Config.Entrypoint}}", base["image_id"]))
    odd = folder / name / "odd"
    odd.mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, odd / "busybox")
    os.link(odd / "busybox", odd / "sh")
    (odd / "agent").write_text("#!/odd/sh\n" + script.format(agent=" ".join(agent)) + "\n")
    for path in (odd, *odd.iterdir()):
        path.chmod(0o755)
    container = platform.docker("create", base["image_id"])
    platform.docker("cp", str(odd), f"{container}:/")
    reference = f"{platform.settings.instance}-{name}:latest"
    entry = "/odd/agent" if script else "/odd/nothing"
    engine_id = platform.docker("commit", "--change", f'ENTRYPOINT ["{entry}"]', container, reference)
    platform.docker("rm", container)
    return _row(platform, reference, engine_id)


def _row(platform: Platform, reference: str, engine_id: str) -> str:
    assert engine_id.startswith("sha256:"), engine_id
    at = clock.text(clock.now())
    row = Image(new_image_id(), "build", reference, "present", "preparing", None, None, None, None, 0, 0, None, at, at)

    def write(tx: Tx) -> None:
        images.insert(tx, row)
        images.ready(tx, row.id, at, engine_id=engine_id, digest=None, agent_version=None, size_bytes=0)

    with platform.database() as database:
        database.write_now(write)
    return row.id


def change(platform: Platform, slug: str, image: str) -> dict[str, Any]:
    answer = platform.api("PATCH", f"/api/tenants/{slug}", {"image": image})
    assert answer.status == 202, answer
    return dict(answer.body)


def taken(operation: dict[str, Any]) -> list[str]:
    return [step["name"] for step in operation["steps"] if step["status"] != "pending"]


def container(platform: Platform, slug: str) -> str:
    return platform.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", platform.names.container(slug))


def audited(platform: Platform, slug: str) -> list[dict[str, Any]]:
    items = platform.api("GET", f"/api/tenants/{slug}/audit?limit=50").body["items"]
    return [item for item in items if item["action"] == "image.roll_back"]


def test_another_image_is_asked_first_and_takes_over(platform: Platform, make: Make) -> None:
    platform.create("moves")
    first = platform.do("moves", "deploy")
    bearer = platform.pair("moves")
    before = platform.tenant("moves")["image"]
    fine = make("fine", FINE)
    ended = platform.finish(change(platform, "moves", fine))
    assert [step for step in taken(ended) if step in RESTART] == list(RESTART), "looked for and asked before anything is taken away"
    told = platform.tenant("moves")
    assert (told["image"]["id"], told["rejected"], told["reason"]) == (fine, None, "healthy and reachable")
    assert "there" in platform.talk("moves", bearer, "there"), "a paired device survives"
    again = platform.do("moves", "restart")
    assert "check" not in taken(first) + taken(again), "what is new or proven is not asked"
    platform.finish(change(platform, "moves", before["id"]))
    assert platform.tenant("moves")["image"] == before
    platform.do("moves", "delete")
    invariants.check(platform)


@pytest.mark.agent
def test_from_the_real_agent_to_the_demo_agent_and_back(platform: Platform) -> None:
    """Two programs that share nothing but the contract."""
    platform.create("real")
    platform.do("real", "deploy")
    bearer = platform.pair("real")
    before = platform.tenant("real")["image"]
    platform.finish(platform.api("POST", "/api/images", {"source": "demo"}).body, 90)
    demo = next(item for item in platform.api("GET", "/api/images").body["items"] if item["source"] == "demo")
    for image in (demo["id"], before["id"]):
        assert "check" in taken(platform.finish(change(platform, "real", image)))
        assert platform.tenant("real")["image"]["id"] == image
        assert "hi" in platform.talk("real", bearer, "hi")
    platform.do("real", "delete")
    platform.finish(platform.api("DELETE", f"/api/images/{demo['id']}").body)
    invariants.check(platform)


@pytest.mark.parametrize(
    ("slug", "script", "words"),
    [("stays", REFUSES, "this agent knows no providers any more"), ("stands", "", "exec /odd/nothing failed")],
)
def test_an_image_whose_agent_refuses_leaves_the_old_one_serving(
    platform: Platform, make: Make, slug: str, script: str, words: str
) -> None:
    platform.create(slug)
    platform.do(slug, "deploy")
    bearer = platform.pair(slug)
    before, ran = platform.tenant(slug)["image"], container(platform, slug)
    bad = make("bad", script)
    for _ in range(2):  # a repeated request is checked again
        ended = platform.end(change(platform, slug, bad))
        assert (ended["status"], ended["error"]["code"]) == ("failed", "image.rejected")
        assert words in ended["error"]["detail"]
        assert "live-bad:latest" in ended["error"]["detail"]
        assert taken(ended) == ["image", "check"]
    told = platform.tenant(slug)
    assert (told["state"], told["image"], told["rejected"]["image"]) == ("running", before, "live-bad:latest")
    assert told["reason"].startswith("still on the previous image; the new one was rolled back: ")
    assert words in told["reason"]
    assert container(platform, slug) == ran, "it was not touched"
    assert "hi" in platform.talk(slug, bearer, "hi")
    assert [one["changes"]["image"] for one in audited(platform, slug)] == [[bad, before["id"]]] * 2
    assert "check" not in taken(platform.do(slug, "restart")), "a restart does not try it again"
    assert platform.tenant(slug)["image"] == before
    assert platform.docker("ps", "-aq", "--filter", "label=io.zcplatform.check") == ""
    platform.do(slug, "delete")
    invariants.check(platform)


@pytest.mark.parametrize(
    ("slug", "script", "words"), [("ends", ENDS, "the moon is in the way"), ("hangs", HANGS, "did not become healthy within 20 s")]
)
def test_an_image_that_does_not_get_healthy_is_taken_back(platform: Platform, make: Make, slug: str, script: str, words: str) -> None:
    platform.create(slug)
    platform.do(slug, "deploy")
    bearer = platform.pair(slug)
    before, ran = platform.tenant(slug)["image"], container(platform, slug)
    bad = make("ill", script)
    assert slug in str(platform.api("DELETE", f"/api/images/{before['id']}").body["detail"]), "nobody takes the way back away"
    ended = platform.end(change(platform, slug, bad), 90)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "image.rejected")
    assert words in ended["error"]["detail"]
    told = platform.wait_state(slug, "running")
    assert (told["image"], told["revision"], told["rejected"]["image"]) == (before, 1, "live-ill:latest")
    assert container(platform, slug) != ran
    assert "well" in platform.talk(slug, bearer, "well"), "a paired device survives"
    assert len(audited(platform, slug)) == 1
    platform.do(slug, "delete")
    invariants.check(platform)


def test_an_image_that_was_removed_meanwhile_changes_nothing(platform: Platform, make: Make) -> None:
    platform.create("keeps")
    platform.do("keeps", "deploy")
    before, ran = platform.tenant("keeps")["image"], container(platform, "keeps")
    gone = make("gone", FINE)
    platform.docker("rmi", "-f", "live-gone:latest")
    ended = platform.end(change(platform, "keeps", gone))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "image.rejected")
    assert "is not on this machine" in ended["error"]["detail"]
    assert (platform.tenant("keeps")["state"], platform.tenant("keeps")["image"]) == ("running", before)
    assert container(platform, "keeps") == ran
    platform.do("keeps", "delete")
    invariants.check(platform)


def test_while_the_new_image_can_not_be_asked_the_old_agent_answers(platform: Platform, make: Make) -> None:
    """Somebody's container has the name of the one that would ask it."""
    platform.create("waits")
    platform.do("waits", "deploy")
    bearer, ran = platform.pair("waits"), container(platform, "waits")
    fine = make("fine", FINE)
    base = next(item for item in platform.api("GET", "/api/images").body["items"] if item["is_default"])
    name = platform.names.check("waits", "check")
    platform.docker("create", "--name", name, base["image_id"])
    operation = change(platform, "waits", fine)

    def status() -> str:
        return str(platform.api("GET", f"/api/operations/{operation['id']}").body["status"])

    wait_until(lambda: "already in use" in platform.tenant("waits")["reason"], 20, "it cannot be checked")
    platform.docker("rm", name)
    platform.docker("update", "--pids-limit", "77", platform.names.container("waits"))  # an event causes a look, also while it waits
    before_the_next: list[int] = []
    while status() == "waiting":
        answer = platform.visit("waits", "/pair").status_code
        if status() == "waiting":
            before_the_next.append(answer)
    assert set(before_the_next) == {405}, "the agent's own answer, not the page for stopped ones"
    platform.finish(operation)
    assert container(platform, "waits") != ran
    assert platform.tenant("waits")["image"]["id"] == fine
    platform.wait_state("waits", "running")
    assert "again" in platform.talk("waits", bearer, "again")
    platform.do("waits", "delete")
    invariants.check(platform)


def test_two_quick_changes_are_one_restart_with_the_last(platform: Platform, make: Make) -> None:
    platform.create("hasty")
    platform.do("hasty", "deploy")
    first, second = make("one", FINE), make("two", FINE)
    superseded = change(platform, "hasty", first)
    ended = platform.finish(change(platform, "hasty", second))
    told = platform.api("GET", f"/api/operations/{superseded['id']}").body
    assert told["status"] == "superseded"
    assert not [step for step in told["steps"] if step["name"] == "start" and step["attempts"]]
    assert [step["attempts"] for step in ended["steps"] if step["name"] == "start"] == [1]
    assert platform.tenant("hasty")["image"]["id"] == second
    platform.do("hasty", "delete")
    invariants.check(platform)


def test_a_stopped_tenant_is_not_started_and_its_next_start_asks(platform: Platform, make: Make) -> None:
    platform.create("rests")
    platform.do("rests", "deploy")
    bearer = platform.pair("rests")
    before = platform.tenant("rests")["image"]
    platform.do("rests", "stop")
    bad = make("cold", REFUSES)
    answer = platform.api("PATCH", "/api/tenants/rests", {"image": bad})
    assert (answer.status, answer.body["image"]["id"]) == (200, bad)
    platform.wait_state("rests", "stopped")
    assert platform.docker("inspect", "-f", "{{.State.Running}}", platform.names.container("rests")) == "false"
    ended = platform.end(platform.ask("rests", "start"))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "image.rejected")
    told = platform.wait_state("rests", "running")
    assert told["image"] == before
    assert "back" in platform.talk("rests", bearer, "back")
    platform.do("rests", "delete")
    invariants.check(platform)


@pytest.fixture(scope="module")
def late(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Two images; the tenant `late` is deployed and moves between them."""
    two = [_derived(platform, tmp_path_factory.mktemp("late"), name, FINE) for name in ("early", "late")]
    platform.create("late", image=two[0])
    platform.do("late", "deploy")
    yield two[0], two[1]
    platform.do("late", "delete")
    for row in two:
        platform.finish(platform.api("DELETE", f"/api/images/{row}").body)


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", POINTS)
def test_a_worker_killed_at_a_step_of_a_change_is_taken_up_by_the_next(
    platform: Platform, make: Make, late: tuple[str, str], step: str, when: str, turn: int
) -> None:
    before = platform.tenant("late")["image"]["id"]
    wanted = make(f"bad{turn}{when}", REFUSES) if step == "roll_back" else next(row for row in late if row != before)
    platform.failpoint.write_text(f"update.{step}.{when}")
    operation = change(platform, "late", wanted)
    assert platform.serve is not None
    platform.serve.wait(30)
    assert platform.serve.returncode == -9
    assert not platform.failpoint.exists(), "the failpoint was not reached"
    platform.start_serve()
    ended = platform.end(operation)
    assert ended["status"] == ("failed" if step == "roll_back" else "succeeded"), ended
    assert platform.wait_state("late", "running")["image"]["id"] == (before if step == "roll_back" else wanted)
    wait_until(lambda: platform.docker("ps", "-aq", "--filter", "label=io.zcplatform.check") == "", 10, "no checking container is left")
    invariants.check(platform)
