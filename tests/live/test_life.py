"""A tenant's whole life, as its people see it: through the API and through its own address."""

import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from socket import create_connection

import pytest
from websockets.sync.client import connect

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live


def test_the_whole_life(platform: Platform) -> None:
    platform.create("life", plan="free")
    deployed = platform.do("life", "deploy")
    assert [step["name"] for step in deployed["steps"]] == [
        "allocate", "network", "workspace", "configuration", "image", "container", "start", "health", "route", "verify",
    ]  # fmt: skip
    assert platform.tenant("life")["state"] == "running"
    bearer = platform.pair("life")
    assert "hello" in platform.talk("life", bearer, "hello")
    invariants.check(platform)

    platform.do("life", "restart")
    assert "again" in platform.talk("life", bearer, "again"), "a paired device survives a restart"
    invariants.check(platform)

    platform.do("life", "stop")
    page = platform.visit("life", "/")
    assert (page.status_code, page.headers["retry-after"] != "") == (503, True)
    assert platform.api("POST", "/api/tenants/life/pairing-code").status == 409
    invariants.check(platform)

    platform.do("life", "start")
    assert "back" in platform.talk("life", bearer, "back"), "a paired device survives a stop"
    invariants.check(platform)

    changed = platform.api("PATCH", "/api/tenants/life", {"plan": "starter"})
    platform.finish(changed.body)
    assert platform.docker("inspect", "-f", "{{.HostConfig.Memory}}", platform.names.container("life")) == str(192 * 1024 * 1024)
    assert "bigger" in platform.talk("life", bearer, "bigger")
    invariants.check(platform)

    tenant_id = platform.tenant("life")["id"]
    platform.do("life", "delete")
    assert platform.api("GET", "/api/tenants/life").status == 404
    assert platform.visit("life", "/").status_code == 404
    assert platform.docker("ps", "-aq", "--filter", f"label=io.zcplatform.tenant={tenant_id}") == ""
    assert platform.docker("network", "ls", "-q", "--filter", f"label=io.zcplatform.tenant={tenant_id}") == ""
    assert not (platform.settings.tenants_dir / "life").exists()
    assert platform.api("POST", "/api/tenants", {"slug": "life"}).body["code"] == "tenant.slug_quarantined"
    invariants.check(platform)


def test_no_network_of_the_host_is_cut_off_by_a_tenants(platform: Platform) -> None:
    """F11: someone else's network inside the pool; its numbers are passed over at once, without a failed attempt."""
    for command in (
        "link add inside1 type bridge",
        "link set inside1 up",
        f"address add {platform.settings.subnet_network[1]}/23 dev inside1",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    try:
        platform.create("beside", plan="free")
        deployed = platform.do("beside", "deploy")
        assert deployed["status"] == "succeeded"
        name = platform.names.network("beside")
        subnet = IPv4Network(platform.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", name))
        assert not subnet.overlaps(IPv4Network(f"{platform.settings.subnet_network.network_address}/23"))
    finally:
        subprocess.run(["ip", "link", "delete", "inside1"], check=True)
    platform.do("beside", "delete")
    invariants.check(platform)


def test_twenty_deploys_at_once(platform: Platform) -> None:
    slugs = [f"many-{number:02d}" for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(platform.create, slugs))
        operations = list(pool.map(lambda slug: platform.ask(slug, "deploy"), slugs))
        for operation in operations:
            platform.finish(operation, 120)
    assert {platform.tenant(slug)["state"] for slug in slugs} == {"running"}
    invariants.check(platform)
    with ThreadPoolExecutor(20) as pool:
        for operation in list(pool.map(lambda slug: platform.ask(slug, "delete"), slugs)):
            platform.finish(operation, 120)
    invariants.check(platform)


def test_a_websocket_stays_open_while_others_are_deployed(platform: Platform) -> None:
    platform.create("talker")
    platform.do("talker", "deploy")
    bearer = platform.pair("talker")
    port = platform.settings.http_port
    url = f"ws://talker.localhost:{port}/ws/chat?agent=main"
    opened = create_connection(("127.0.0.1", port))
    with connect(url, sock=opened, additional_headers={"Authorization": f"Bearer {bearer}"}) as socket:
        for slug in ("next-a", "next-b"):
            platform.create(slug)
            platform.do(slug, "deploy")
        platform.do("next-a", "stop")
        socket.send('{"type": "message", "content": "still there"}')
        frames = ""
        while '"done"' not in frames:
            frames += str(socket.recv(timeout=10))
        assert "still there" in frames
    for slug in ("talker", "next-a", "next-b"):
        platform.do(slug, "delete")
    invariants.check(platform)


def test_a_suspended_tenant_is_stopped_and_stays_so(platform: Platform) -> None:
    """S-72: within thirty seconds, and neither the health loop, nor a restart of everything, nor a hand on the engine brings it back."""
    platform.create("debtor")
    platform.do("debtor", "deploy")
    platform.pair("debtor")
    started = time.monotonic()
    platform.finish(platform.api("POST", "/api/tenants/debtor/suspend", {"reason": "the bill of March"}).body, 30)
    assert time.monotonic() - started < 30
    assert platform.tenant("debtor")["reason"] == "suspended: the bill of March"
    assert platform.visit("debtor", "/").status_code == 503
    container = platform.names.container("debtor")

    def runs() -> bool:
        return platform.docker("inspect", "-f", "{{.State.Running}}", container) == "true"

    assert not runs()
    assert platform.api("POST", "/api/tenants/debtor/start").body["code"] == "tenant.suspended"
    platform.docker("start", container)
    wait_until(lambda: not runs(), 30, "what somebody started by hand is stopped again")
    platform.kill_serve()
    platform.start_serve()
    platform.create("other")
    platform.do("other", "deploy")
    assert (runs(), platform.tenant("debtor")["state"]) == (False, "suspended"), "other work was done meanwhile"
    invariants.check(platform)
    platform.finish(platform.api("POST", "/api/tenants/debtor/resume").body)
    assert platform.tenant("debtor")["state"] == "running"
    for slug in ("debtor", "other"):
        platform.do(slug, "delete")
    invariants.check(platform)


def test_logs_are_read_and_followed(platform: Platform) -> None:
    platform.create("logs")
    platform.do("logs", "deploy")
    lines = platform.api("GET", "/api/tenants/logs/logs?tail=1000").body.splitlines()
    assert lines
    assert len(platform.api("GET", "/api/tenants/logs/logs?tail=1").body.splitlines()) == 1
    stamped = platform.api("GET", "/api/tenants/logs/logs?tail=1&timestamps=true").body
    assert stamped.startswith("20")
    begun, ended = threading.Event(), threading.Event()

    def follow() -> None:
        with platform.client() as client, client.stream("GET", "/api/tenants/logs/logs?follow=true&tail=1") as answer:
            for _ in answer.iter_lines():
                begun.set()
        ended.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(10), "the last line arrives"
    platform.do("logs", "stop")
    wait_until(ended.is_set, 10, "a followed log ends with its container")
    thread.join()
    platform.do("logs", "delete")


def test_events_resume_where_they_broke_off(platform: Platform) -> None:
    platform.create("events")
    with platform.client() as client, client.stream("GET", "/api/events?tenant=events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": connected"
        platform.ask("events", "deploy")
        first = next(line for line in lines if line.startswith("id: "))
    platform.wait_state("events", "running")
    seen: list[str] = []
    with (
        platform.client() as client,
        client.stream("GET", "/api/events?tenant=events", headers={"Last-Event-ID": first.removeprefix("id: ")}) as answer,
    ):
        for line in answer.iter_lines():
            seen.append(line)
            if '"state": "running"' in line:
                break
    numbers = [int(line.removeprefix("id: ")) for line in seen if line.startswith("id: ")]
    span = (platform.tenant("events")["id"], int(first.removeprefix("id: ")), numbers[-1])
    with platform.database() as database:
        rows = database.read(
            lambda tx: tx.execute("SELECT id FROM events WHERE tenant_id = ? AND id > ? AND id <= ? ORDER BY id", span).fetchall()
        )
    assert numbers == [number for (number,) in rows], "none is lost and none comes twice"
    assert sum('"step": "start"' in line for line in seen) == 2
    platform.do("events", "delete")


def test_an_edit_of_a_stopped_tenant_does_not_start_it(platform: Platform) -> None:
    platform.create("edited")
    platform.do("edited", "deploy")
    platform.do("edited", "stop")
    assert platform.api("PATCH", "/api/tenants/edited", {"plan": "pro"}).status == 200
    platform.wait_state("edited", "stopped")
    assert platform.docker("inspect", "-f", "{{.State.Running}}", platform.names.container("edited")) == "false"
    platform.do("edited", "start")
    assert platform.docker("inspect", "-f", "{{.HostConfig.Memory}}", platform.names.container("edited")) == str(512 * 1024 * 1024)
    platform.do("edited", "delete")
    invariants.check(platform)
