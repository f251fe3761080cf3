"""An engine whose answers are lost, late, failures or false: the next round looks again, and never two containers come of it."""

from collections.abc import Iterator

import pytest

from tests.fakes.engine_proxy import EngineProxy
from tests.live import invariants
from tests.live.engine import IMAGE_CHANGES, Engine, busybox_tar
from tests.live.installation import AT
from tests.live.platform import Platform
from tests.live.test_faults import ROUNDS
from tests.live.waiting import wait_until
from zcplatform.core.images import LABEL_MADE_BY
from zcplatform.ids import new_image_id
from zcplatform.store.images import Image, insert, ready

pytestmark = pytest.mark.live

CALLS = {
    "network": r"POST [^ ]*/networks/create",
    "create": r"POST [^ ]*/containers/create",
    "start": r"POST [^ ]*/containers/[^ ]*/start",
    "look": r"GET [^ ]*/containers/[^ ]*/json",
}
CASES = [(call, vice) for call in ("network", "create", "start") for vice in ("drop the answer", "answer 500")]
CASES += [("create", "lie"), ("look", "drop the request"), ("look", "answer 500")]


@pytest.fixture(scope="module")
def spoiled(engine: Engine) -> Iterator[tuple[Platform, EngineProxy]]:
    made = Platform(engine, "vice", start_timeout_s=2.0)
    proxy = EngineProxy(made.root / "engine.sock", engine.socket)
    made.configure(docker_socket=str(proxy.path))
    try:
        made.start()
        made.make_image()
        yield made, proxy
    finally:
        made.close()
        proxy.close()


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize(("call", "vice"), CASES, ids=[f"{call}-{vice.replace(' ', '-')}" for call, vice in CASES])
def test_one_false_answer_ends_in_one_container(spoiled: tuple[Platform, EngineProxy], call: str, vice: str, turn: int) -> None:
    platform, proxy = spoiled
    slug = f"f{turn}-{call}-{vice.replace(' ', '-')}"
    platform.create(slug)
    proxy.spoil(CALLS[call], vice)
    operation = platform.ask(slug, "deploy")
    platform.finish(operation, 60)
    assert proxy.spoiled[-1].startswith(vice)
    platform.wait_state(slug, "running", 30)
    assert len(platform.docker("ps", "-aq", "--filter", f"name=^{platform.names.container(slug)}$").split()) == 1
    invariants.check(platform)
    platform.do(slug, "delete", 60)


def test_a_container_that_can_not_be_given_its_limits_back_is_replaced(spoiled: tuple[Platform, EngineProxy]) -> None:
    platform, proxy = spoiled
    platform.create("loose")
    platform.do("loose", "deploy")
    name = platform.names.container("loose")
    told = platform.docker("inspect", "-f", "{{.HostConfig.PidsLimit}}", name)
    first, since = platform.docker("inspect", "-f", "{{.Id}}", name), platform.started_at("loose")
    proxy.spoil(r"POST [^ ]*/containers/[^ ]*/update", "answer 500")
    platform.docker("update", "--pids-limit=777", name)
    platform.wait_restarted("loose", since)
    assert platform.docker("inspect", "-f", "{{.Id}}", name) != first, "another container"
    assert proxy.spoiled[-1].startswith("answer 500")
    assert platform.docker("inspect", "-f", "{{.HostConfig.PidsLimit}}", name) == told
    invariants.check(platform)
    platform.do("loose", "delete")


def test_an_agent_that_never_gets_healthy_is_told_and_another_image_mends_it(spoiled: tuple[Platform, EngineProxy]) -> None:
    platform, _ = spoiled
    good = platform.api("GET", "/api/images").body["items"][0]["id"]
    tar = busybox_tar(platform.root / "silent.tar")
    labels = [f"LABEL {LABEL_MADE_BY}={platform.settings.instance}", 'ENTRYPOINT ["/bin/sleep", "600"]']
    changes = [change for change in IMAGE_CHANGES if "ENTRYPOINT" not in change and "CMD" not in change] + labels
    engine_id = platform.docker("import", *(f"--change={change}" for change in changes), str(tar), "silent:latest")
    row = Image(new_image_id(), "build", "silent", "present", "preparing", None, None, None, None, 0, 0, None, AT, AT)
    with platform.database() as database:
        database.write_now(lambda tx: insert(tx, row))
        database.write_now(lambda tx: ready(tx, row.id, AT, engine_id=engine_id, digest=None, agent_version="0.8.7", size_bytes=1))
    platform.create("silent", image=row.id)
    operation = platform.ask("silent", "deploy")
    wait_until(lambda: platform.tenant("silent")["next_attempt_at"] is not None, 20, "the first attempt failed")
    told = platform.api("GET", f"/api/operations/{operation['id']}").body
    assert told["error"]["code"] in ("agent.unhealthy", "agent.exited")
    assert "silent" in told["error"]["detail"]
    wait_until(lambda: platform.visit("silent", "/").status_code == 503, 5, "its address says that it does not run")
    platform.finish(platform.api("PATCH", "/api/tenants/silent", {"image": good}).body, 60)
    platform.wait_state("silent", "running")
    invariants.check(platform)
    platform.do("silent", "delete")
