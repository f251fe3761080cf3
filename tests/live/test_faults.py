"""Faults: the worker killed at every step, strangers in the way, an engine and an edge that go away. After each: the invariants."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from socket import create_server

import httpx2
import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform.ids import LABEL_INSTANCE, LABEL_TENANT
from zcplatform.store import allocations

pytestmark = pytest.mark.live

DEPLOY = ("allocate", "network", "workspace", "configuration", "image", "container", "start", "health", "route", "verify")
STOP = ("unroute", "stop", "drop_configuration")
DELETE = ("unroute", "stop", "remove", "drop_configuration", "remove_network", "remove_workspace", "verify_gone", "archive")
START = ("configuration", "start", "health", "route", "verify")
RESTART = ("image", "unroute", "stop", "remove", "configuration", "container", "start", "health", "route", "verify")
ROUNDS = int(os.environ.get("ZCP_ROUNDS", "1"))
POINTS = [
    *(("deploy", step) for step in DEPLOY),
    *(("stop", step) for step in STOP),
    *(("delete", step) for step in DELETE),
    # The same steps as above for another reason: a few of them each time, all of them in scripts/soak.
    *(("start", step) for step in (START if ROUNDS > 1 else ("configuration", "start"))),
    *(("restart", step) for step in (RESTART if ROUNDS > 1 else ("remove", "container"))),
]
BEFORE = {"stop": ("deploy",), "delete": ("deploy",), "restart": ("deploy",), "start": ("deploy", "stop"), "deploy": ()}


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("verb", "step"), POINTS, ids=[f"{verb}-{step}" for verb, step in POINTS])
def test_a_worker_killed_at_a_step_is_taken_up_by_the_next(platform: Platform, verb: str, step: str, when: str, turn: int) -> None:
    slug = f"k{turn}-{verb}-{step}-{when[0]}".replace("_", "-")
    platform.create(slug)
    for earlier in BEFORE[verb]:
        platform.do(slug, earlier)
    platform.failpoint.write_text(f"{verb}.{step}.{when}")
    operation = platform.ask(slug, verb)
    assert platform.serve is not None
    platform.serve.wait(30)
    assert platform.serve.returncode == -9
    assert not platform.failpoint.exists(), "the failpoint was not reached"
    platform.start_serve()
    platform.finish(operation)
    expected = {"stop": "stopped", "delete": None}.get(verb, "running")
    assert platform.tenant(slug).get("state") == expected
    invariants.check(platform)
    if verb != "delete":
        platform.do(slug, "delete")


def test_a_strangers_container_of_our_name_is_not_touched(platform: Platform) -> None:
    name = platform.names.container("taken")
    platform.create("taken")
    image = platform.api("GET", "/api/images").body["items"][0]["image_id"]
    stranger = platform.docker("create", "--name", name, "--label", "owner=somebody", image)
    ended = platform.end(platform.ask("taken", "deploy"))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "container.foreign")
    assert name in ended["error"]["detail"]
    assert platform.docker("inspect", "-f", "{{.Id}}", name) == stranger
    platform.docker("rm", "-f", stranger)
    platform.do("taken", "deploy")
    platform.do("taken", "delete")
    invariants.check(platform)


def test_a_container_with_a_foreign_label_is_not_touched(platform: Platform) -> None:
    name = platform.names.container("label")
    platform.create("label")
    image = platform.api("GET", "/api/images").body["items"][0]["image_id"]
    stranger = platform.docker("create", "--name", name, "--label", f"{LABEL_INSTANCE}=other", "--label", f"{LABEL_TENANT}=ten_x", image)
    assert platform.end(platform.ask("label", "deploy"))["error"]["code"] == "container.foreign"
    assert platform.docker("inspect", "-f", "{{.Id}}", name) == stranger
    platform.docker("rm", "-f", stranger)
    platform.do("label", "delete")
    invariants.check(platform)


def test_a_leftover_with_our_labels_is_replaced(platform: Platform) -> None:
    tenant_id = platform.create("stale")
    image = platform.api("GET", "/api/images").body["items"][0]["image_id"]
    labels = [f"--label={LABEL_INSTANCE}={platform.settings.instance}", f"--label={LABEL_TENANT}={tenant_id}"]
    stale = platform.docker("create", "--name", platform.names.container("stale"), *labels, "--privileged", image)
    platform.do("stale", "deploy")
    assert platform.docker("inspect", "-f", "{{.Id}} {{.HostConfig.Privileged}}", platform.names.container("stale")) != f"{stale} true"
    invariants.check(platform)
    platform.do("stale", "delete")


def test_what_carries_our_label_and_belongs_to_nobody_goes(platform: Platform) -> None:
    image = platform.api("GET", "/api/images").body["items"][0]["image_id"]
    label = f"--label={LABEL_INSTANCE}={platform.settings.instance}"
    ours = platform.docker("create", label, f"--label={LABEL_TENANT}=ten_nobody", image)
    foreign = platform.docker("create", "--label=x=y", image)
    wait_until(lambda: platform.docker("ps", "-aq", "--no-trunc", "--filter", f"id={ours}") == "", 15, "the orphan is removed")
    assert platform.docker("ps", "-aq", "--no-trunc", "--filter", f"id={foreign}") == foreign
    platform.docker("rm", foreign)


def test_a_port_that_a_stranger_uses_is_passed_over(platform: Platform) -> None:
    platform.create("porty")
    platform.do("porty", "deploy")
    port = int(platform.docker("port", platform.names.container("porty"), "42617").rpartition(":")[2])
    platform.do("porty", "stop")
    with create_server(("127.0.0.1", port)):
        operation = platform.ask("porty", "start")
        ended = platform.end(operation, 60)
        assert ended["status"] == "succeeded", ended
    other = int(platform.docker("port", platform.names.container("porty"), "42617").rpartition(":")[2])
    assert other != port
    assert platform.visit("porty", "/").status_code == 200
    invariants.check(platform)
    platform.do("porty", "delete")


def test_a_bridge_that_another_network_has_is_gone_round(platform: Platform) -> None:
    """As an engine does that was killed while it made a network: it hides that one, and refuses its bridge and its range ever after."""
    platform.create("ghostly")
    platform.do("ghostly", "deploy")
    with platform.database() as database:
        held = database.read(lambda tx: allocations.get(tx, platform.tenant("ghostly")["id"]))
    platform.do("ghostly", "delete")
    assert held is not None
    bridge = platform.names.bridge(held.subnet)
    platform.docker("network", "create", "--subnet", "203.0.113.0/29", "--opt", f"com.docker.network.bridge.name={bridge}", "a-ghost")
    platform.create("haunted")
    try:
        platform.do("haunted", "deploy", 60)
        with platform.database() as database:
            got = database.read(lambda tx: allocations.get(tx, platform.tenant("haunted")["id"]))
        assert got is not None
        assert got.subnet != held.subnet
        assert platform.visit("haunted", "/").status_code == 200
    finally:
        platform.docker("network", "rm", "a-ghost")
    platform.do("haunted", "delete")
    invariants.check(platform)


def test_an_agent_that_is_killed_comes_back(platform: Platform) -> None:
    platform.create("mortal")
    platform.do("mortal", "deploy")
    platform.docker("kill", platform.names.container("mortal"))

    def is_away() -> bool:
        try:
            return platform.visit("mortal", "/").status_code == 503
        except httpx2.TransportError:
            return False  # asked while it died: Caddy ends what waits for an answer when its routes change

    wait_until(is_away, 20, "its route is taken away")
    told = platform.tenant("mortal")
    assert told["state"] == "restarting"
    assert "137" in told["reason"]
    assert told["next_attempt_at"]
    platform.wait_state("mortal", "running", 35)
    invariants.check(platform)
    platform.do("mortal", "delete")


LOOSENED = ("--memory=900m", "--memory-swap=900m", "--cpus=1.9", "--pids-limit=777", "--restart=always")


def _limits(platform: Platform, slug: str) -> str:
    told = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}"
    return platform.docker("inspect", "-f", told, platform.names.container(slug))


def _limits_told(platform: Platform) -> list[dict[str, object]]:
    return [item["changes"] for item in platform.api("GET", "/api/audit?action=tenant.limits").body["items"]]


@pytest.fixture
def limited(platform: Platform) -> Iterator[tuple[str, str]]:
    """A running tenant: its slug, and the engine's words for its limits."""
    slug = f"limited-{secrets.token_hex(3)}"
    platform.create_running(slug)
    yield slug, _limits(platform, slug)
    platform.wait_state(slug, "running")
    invariants.check(platform)
    platform.do(slug, "delete")


def test_limits_changed_by_hand_are_given_back_and_told(platform: Platform, limited: tuple[str, str]) -> None:
    slug, before = limited
    name, told = platform.names.container(slug), len(_limits_told(platform))
    started = platform.docker("inspect", "-f", "{{.State.StartedAt}}", name)
    platform.docker("update", *LOOSENED, name)
    wait_until(lambda: len(_limits_told(platform)) > told, 10, "it is reported")
    assert _limits(platform, slug) == before
    assert platform.docker("inspect", "-f", "{{.State.StartedAt}}", name) == started, "it kept running"
    changes = _limits_told(platform)[0]
    assert changes["PidsLimit"][0] == 777  # type: ignore[index]
    assert changes["RestartPolicy"] == ["always", "no"]


def test_limits_changed_while_the_worker_was_away_are_found_when_it_is_back(platform: Platform, limited: tuple[str, str]) -> None:
    slug, before = limited
    platform.stop_serve()
    platform.docker("update", *LOOSENED, platform.names.container(slug))
    assert _limits(platform, slug) != before
    platform.start_serve()
    wait_until(lambda: _limits(platform, slug) == before, 40, "its limits are the plan's again, without a hint")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_while_it_gives_limits_back_is_taken_up(platform: Platform, limited: tuple[str, str], when: str) -> None:
    slug, before = limited
    platform.failpoint.write_text(f"deploy.limits.{when}")
    platform.docker("update", *LOOSENED, platform.names.container(slug))
    assert platform.serve is not None
    assert platform.serve.wait(30) == -9
    platform.start_serve()
    wait_until(lambda: _limits(platform, slug) == before, 40, "its limits are the plan's again")


def test_a_replaced_mount_under_a_running_container_is_drift(platform: Platform) -> None:
    platform.create("mounted")
    platform.do("mounted", "deploy")
    since = platform.started_at("mounted")
    subprocess.run(["umount", str(platform.settings.config_dir / "mounted")], check=True)
    platform.wait_restarted("mounted", since)
    invariants.check(platform)
    platform.do("mounted", "delete")


def test_caddy_killed_and_restarted_has_its_routes(platform: Platform) -> None:
    platform.create("edgy")
    platform.do("edgy", "deploy")
    platform.kill_edge()
    platform.settings.edge_document.unlink()
    platform.start_edge()
    wait_until(lambda: platform.visit("edgy", "/").status_code == 200, 10, "the route is back")
    invariants.check(platform)
    platform.do("edgy", "delete")


def _edge_told(platform: Platform) -> tuple[float, float]:
    """Whether it serves what it should, and when it was last seen to."""
    told = dict(line.rsplit(" ", 1) for line in platform.api("GET", "/metrics").body.splitlines() if line and not line.startswith("#"))
    return float(told["zcplatform_worker_edge_ok"]), float(told["zcplatform_worker_edge_ok_timestamp_seconds"])


def test_an_edge_that_is_down_is_told_by_the_metrics_and_since_when(platform: Platform) -> None:
    wait_until(lambda: _edge_told(platform)[0] == 1, 10, "it serves what it should")
    platform.stop_edge()
    wait_until(lambda: _edge_told(platform)[0] == 0, 10, "it is reported as down")
    seen_at = _edge_told(platform)[1]
    assert seen_at > 0
    platform.start_edge()
    wait_until(lambda: _edge_told(platform)[0] == 1, 10, "it serves again")
    assert _edge_told(platform)[1] > seen_at


def test_caddy_restarts_with_its_routes_while_the_platform_is_down(platform: Platform) -> None:
    platform.create("alone")
    platform.do("alone", "deploy")
    platform.stop_serve()
    platform.kill_edge()
    platform.start_edge()
    assert platform.visit("alone", "/").status_code == 200
    assert platform.visit("nobody", "/").status_code == 404
    platform.start_serve()
    platform.do("alone", "delete")
    invariants.check(platform)


def test_a_deploy_with_the_edge_down_runs_and_says_what_is_missing(platform: Platform) -> None:
    platform.create("dark")
    platform.stop_edge()
    operation = platform.ask("dark", "deploy")
    platform.wait_state("dark", "degraded", 30)
    assert "address" in platform.tenant("dark")["reason"]
    platform.start_edge()
    platform.end(operation, 40)
    platform.wait_state("dark", "running")
    assert platform.visit("dark", "/").status_code == 200
    platform.stop_edge()
    platform.do("dark", "stop")
    deleting = platform.ask("dark", "delete")
    wait_until(
        lambda: "waiting" in platform.api("GET", f"/api/operations/{deleting['id']}").body["reason"], 20, "the delete waits for the edge"
    )
    platform.start_edge()
    platform.end(deleting, 40)
    wait_until(lambda: platform.api("GET", "/api/tenants/dark").status == 404, 30, "it is deleted")
    invariants.check(platform)


def test_firewall_rules_are_put_back(platform: Platform) -> None:
    platform.create("walled")
    platform.do("walled", "deploy")
    chain = platform.names.bridge_prefix.upper()
    subprocess.run(["iptables", "-F", "INPUT"], check=True)

    def stands() -> bool:
        saved = subprocess.run(["iptables-save", "-t", "filter"], capture_output=True, text=True, check=True).stdout
        return any(line.startswith("-A INPUT ") and chain in line for line in saved.splitlines())

    wait_until(stands, 10, "the rules stand again")
    invariants.check(platform)
    platform.do("walled", "delete")


def test_a_stop_wins_over_a_deploy_under_way(platform: Platform) -> None:
    for round_number in range(5):
        slug = f"race-{round_number}"
        platform.create(slug)
        deploy = platform.ask(slug, "deploy")
        platform.do(slug, "stop")
        assert platform.api("GET", f"/api/operations/{deploy['id']}").body["status"] in ("superseded", "succeeded")
        platform.wait_state(slug, "stopped")
        platform.do(slug, "delete")
    invariants.check(platform)


def test_the_last_of_many_wishes_counts(platform: Platform) -> None:
    platform.create("fickle")
    last = {}
    for verb in ("deploy", "stop", "start", "restart", "stop", "start"):
        last = platform.ask("fickle", verb)
    platform.finish(last, 60)
    platform.wait_state("fickle", "running")
    invariants.check(platform)
    with platform.client() as client:
        try:
            client.delete("/api/tenants/fickle")
        except httpx2.TransportError as error:
            pytest.fail(str(error))
    wait_until(lambda: platform.api("GET", "/api/tenants/fickle").status == 404, 40, "it is deleted")
    invariants.check(platform)
