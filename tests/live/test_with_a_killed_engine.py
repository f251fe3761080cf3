"""An engine that is killed. It gets an engine and an installation of its own: what such an engine remembers wrongly stays with it.

By its name this module is the last: a second engine beside one that has containers could take that one's rules away.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.live import invariants
from tests.live.engine import Engine
from tests.live.platform import Platform
from tests.live.test_faults import ROUNDS
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def killed() -> Iterator[Platform]:
    engine = Engine("--live-restore", "--userland-proxy=false")
    try:
        engine.start()
        made = Platform(engine, "killed")
        try:
            made.start()
            made.make_image()
            yield made
        finally:
            made.close()
    finally:
        engine.close()


def test_an_engine_that_is_down_is_waited_for(killed: Platform) -> None:
    killed.create("patient")
    killed.create("running")
    killed.do("running", "deploy")
    killed.engine.kill()
    try:
        operation = killed.ask("patient", "deploy")
        wait_until(
            lambda: killed.api("GET", f"/api/operations/{operation['id']}").body["reason"].startswith("waiting:"),
            15,
            "the operation waits",
        )
        told = killed.api("GET", f"/api/operations/{operation['id']}").body
        assert (told["status"], told["error"]["code"]) == ("waiting", "engine.unreachable")
        assert told["next_attempt_at"]
        logs = killed.api("GET", "/api/tenants/running/logs")
        assert (logs.status, logs.headers["retry-after"] != "") == (503, True)
        assert killed.visit("running", "/").status_code == 200, "what runs keeps serving"
        killed.wait_state("running", "unknown", 15)
    finally:
        killed.engine.start()
    killed.finish(operation)
    killed.wait_state("running", "running")
    invariants.check(killed)
    for slug in ("patient", "running"):
        killed.do(slug, "delete")


def test_agents_survive_a_flushed_firewall_until_the_engine_restarts(killed: Platform) -> None:
    """F3: the engine's rules are gone with ours. The cause is named, nothing that runs is stopped, and the engine's restart repairs it."""
    killed.create("survivor")
    killed.do("survivor", "deploy")
    started = killed.started_at("survivor")
    for words in ("-t nat -F", "-t nat -X", "-F", "-X"):
        # Our own loop may put its rules back between a flush and the removal of the chains; then both are done again.
        wait_until(lambda words=words: _flushed(words), 20, f"iptables {words}")  # type: ignore[misc]
    reason = killed.wait_state("survivor", "degraded", 30)["reason"]
    assert "own firewall rules are gone" in reason
    assert _loop(killed, "firewall")["error_code"] == "engine.rules_gone"
    rounds = _loop(killed, "health")["rounds"] + 5
    wait_until(lambda: _loop(killed, "health")["rounds"] >= rounds, 60, "five looks at the agents")
    assert killed.started_at("survivor") == started
    assert "firewall: failing" in killed.api("GET", "/readyz").body["loops"]
    killed.engine.stop()
    killed.engine.start()
    killed.wait_state("survivor", "running", 40)
    assert killed.started_at("survivor") == started, "it is the same agent"
    assert killed.visit("survivor", "/").status_code == 200
    assert _loop(killed, "firewall")["error_code"] == ""
    invariants.check(killed)
    killed.do("survivor", "delete")


def _flushed(words: str) -> bool:
    if words.endswith("-X"):
        subprocess.run(["iptables", *words.replace("-X", "-F").split()], check=True)
    return subprocess.run(["iptables", *words.split()], capture_output=True).returncode == 0


def test_an_edge_that_is_down_is_known(killed: Platform) -> None:
    """D1: to /readyz and to the doctor."""
    killed.stop_edge()
    try:
        wait_until(lambda: "edge: failing" in _ready(killed)["loops"], 30, "the edge is known to be down")
        done = subprocess.run(
            [sys.executable, "-m", "zcplatform", "--settings", str(killed.settings_path), "doctor"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "The edge does not run: no tenant can be reached." in done.stdout
    finally:
        killed.start_edge()
    wait_until(lambda: "edge: failing" not in _ready(killed)["loops"], 30, "the edge is known to be back")


def _ready(platform: Platform) -> dict[str, Any]:
    """Asked of web itself: nothing else leads to it without the edge."""
    command = ["curl", "-s", "--max-time", "5", "--unix-socket", str(platform.settings.web_socket), "http://panel/readyz"]
    return dict(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


def _loop(platform: Platform, name: str) -> dict[str, Any]:
    found = {loop["name"]: loop for loop in platform.api("GET", "/api/loops").body["items"]}
    return dict(found[name])


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_an_engine_restarted_in_the_middle(killed: Platform, turn: int) -> None:
    """Deploys continue, and later ones are not hindered by what the engine left half made and forgot."""
    slugs = [f"mid-{turn}-{number}" for number in range(4)]
    for slug in slugs:
        killed.create(slug)
    operations = [killed.ask(slug, "deploy") for slug in slugs]
    wait_until(lambda: killed.docker("ps", "-aq") != "", 15, "the first container is there")
    killed.engine.kill()
    killed.engine.start()
    for operation in operations:
        ended = killed.end(operation, 90)
        assert ended["status"] in ("succeeded", "failed"), ended
    for slug in slugs:
        killed.wait_state(slug, "running", 90)
    invariants.check(killed)
    for slug in slugs:
        killed.do(slug, "delete")

    later = [f"later-{turn}-{number}" for number in range(8)]
    for slug in later:
        killed.create(slug)
    for operation in [killed.ask(slug, "deploy") for slug in later]:
        killed.finish(operation, 60)
    invariants.check(killed)
    for slug in later:
        killed.do(slug, "delete")
