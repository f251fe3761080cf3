"""The adapter and the bodies against a real engine: what it really makes of them, and what its refusals are called."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import aiodocker
import pytest

from tests.live.edge_rig import free_port
from tests.live.engine import Engine
from tests.live.handmade import NAMES, POOL, Handmade, answers, inside, raw, side_of, spec_of, tenant
from tests.live.waiting import until
from zcplatform.core.workload import TenantRef
from zcplatform.engines.docker.bodies import create_body, network_body
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.errors import StepFailed
from zcplatform.ids import LABEL_SPEC, LABEL_TENANT, new_tenant_id

pytestmark = pytest.mark.live


@pytest.fixture
async def acme(docker: Docker, test_image: str, tmp_path: Path) -> AsyncIterator[Handmade]:
    async with tenant(docker, tmp_path, test_image, "acme-one", 1) as made:
        yield made


async def test_the_engine_keeps_every_field_of_the_body(engine: Engine, acme: Handmade) -> None:
    body, kept = create_body(NAMES, acme.spec, acme.side), await raw(engine.socket, acme.name)
    for key, value in body["HostConfig"].items():
        assert kept["HostConfig"][key] == value, key
    for key in ("User", "Cmd", "Labels", "StopTimeout"):
        assert kept["Config"][key] == body[key], key
    assert set(body["Env"]) <= set(kept["Config"]["Env"])
    assert kept["Image"] == body["Image"]


async def test_the_engine_adds_no_right_to_the_body(engine: Engine, acme: Handmade) -> None:
    host = (await raw(engine.socket, acme.name))["HostConfig"]
    assert host["Privileged"] is False
    for key in (
        "CapAdd",
        "Devices",
        "DeviceRequests",
        "DeviceCgroupRules",
        "Binds",
        "VolumesFrom",
        "GroupAdd",
        "ExtraHosts",
        "Links",
        "Sysctls",
    ):
        assert not host.get(key), key
    for key in ("PidMode", "UTSMode", "UsernsMode"):
        assert host[key] in ("", "private"), key
    assert host["PublishAllPorts"] is False


async def test_inside_there_is_no_capability_and_no_way_to_gain_one(engine: Engine, acme: Handmade) -> None:
    status = dict(
        line.split(":\t", 1) for line in (await inside(engine.socket, acme.name, "cat /proc/1/status"))[1].splitlines() if ":\t" in line
    )
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == status["CapAmb"] == "0" * 16
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert status["Uid"].split() == [str(acme.spec.uid)] * 4
    assert status["Gid"].split() == [str(acme.spec.uid)] * 4


@pytest.mark.parametrize(
    "script",
    [
        "echo x > /bin/planted",
        "echo x > /open/planted",
        "cp /bin/busybox /tmp/busybox && /tmp/busybox true",
        "mount -t tmpfs none /tmp",
        "unshare -U true",
        "chown 0 /tmp",
        "mknod /tmp/disk b 254 0",
        "ping -c 1 -W 1 127.0.0.1",
        "dd if=/dev/zero of=/tmp/large bs=1M count=80",
        "cat /zeroclaw-data/nonce",
    ],
)
async def test_inside_it_is_refused(engine: Engine, acme: Handmade, script: str) -> None:
    code, _ = await inside(engine.socket, acme.name, script)
    assert code != 0


async def test_inside_its_own_directories_can_be_written_and_only_those_show(engine: Engine, acme: Handmade, tmp_path: Path) -> None:
    script = "touch /tmp/mine && cd /zeroclaw-data/.zeroclaw && for d in . data agents shared state; do touch $d/mine || exit 1; done; cat config.toml"
    code, output = await inside(engine.socket, acme.name, script)
    assert (code, output) == (0, "[gateway]\nport = 42617\n")
    assert (tmp_path / "tenants" / acme.slug / "data" / "mine").stat().st_uid == acme.spec.uid
    assert not (tmp_path / "config" / acme.slug / "zeroclaw" / "data" / "mine").exists()


async def test_its_port_answers_on_loopback_and_nowhere_else(engine: Engine, acme: Handmade) -> None:
    assert answers("127.0.0.1", acme.spec.port)
    assert not answers(acme.gateway, acme.spec.port)


async def test_one_list_shows_ours_and_only_ours(engine: Engine, docker: Docker, acme: Handmade, test_image: str) -> None:
    async with aiodocker.Docker(url=f"unix://{engine.socket}") as client:
        foreign = await client.containers.create({"Image": test_image, "HostConfig": {"NetworkMode": "none"}}, name="somebodys")
        try:
            (seen,) = await docker.containers(NAMES.instance)
            assert (seen.id, seen.name, seen.state, seen.image_id) == (acme.container_id, acme.name, "running", test_image)
            assert seen.labels[LABEL_TENANT] == acme.tenant_id
            assert seen.labels[LABEL_SPEC] == acme.spec.spec_hash
            assert await docker.containers("other") == []
            by_name = await docker.container("somebodys")
            assert by_name is not None
            assert by_name.id == foreign.id
        finally:
            await foreign.delete(force=True)


async def test_a_name_is_not_found_by_a_part_of_an_id(docker: Docker, acme: Handmade) -> None:
    assert await docker.container(acme.container_id[:12]) is None
    assert await docker.network(acme.network_id[:12]) is None


async def test_start_stop_and_remove_may_be_repeated(docker: Docker, acme: Handmade) -> None:
    await docker.start(acme.container_id)
    await docker.stop(acme.container_id, 5)
    await docker.stop(acme.container_id, 5)
    (seen,) = await docker.containers(NAMES.instance)
    assert (seen.state, seen.exit_code) == ("exited", 0)
    await docker.start(acme.container_id)
    await docker.remove(acme.container_id)
    await docker.remove(acme.container_id)
    await docker.stop(acme.container_id, 5)
    assert await docker.container(acme.name) is None


async def test_what_ended_badly_is_listed_with_its_reason(engine: Engine, docker: Docker, acme: Handmade) -> None:
    os.kill((await raw(engine.socket, acme.name))["State"]["Pid"], signal.SIGKILL)

    async def has_ended() -> bool:
        (seen,) = await docker.containers(NAMES.instance)
        return seen.state == "exited"

    await until(has_ended, 10, "the engine has noticed")
    (seen,) = await docker.containers(NAMES.instance)
    assert (seen.exit_code, seen.oom_killed) == (137, False)
    assert seen.started_at


async def test_memory_has_an_end(engine: Engine, docker: Docker, acme: Handmade) -> None:
    code, _ = await inside(engine.socket, acme.name, "dd if=/dev/zero bs=200M count=1 of=/dev/null")
    assert code != 0
    seen = await docker.container(acme.name)
    assert seen is not None
    assert seen.state == "running"


async def test_a_name_that_is_taken(docker: Docker, acme: Handmade) -> None:
    with pytest.raises(StepFailed) as caught:
        await docker.create(acme.name, create_body(NAMES, acme.spec, acme.side))
    assert caught.value.code == "container.name_taken"


async def test_a_port_that_is_taken(docker: Docker, acme: Handmade, test_image: str, tmp_path: Path) -> None:
    async with tenant(docker, tmp_path, test_image, "second", 2, is_started=False) as second:
        await docker.remove(second.container_id)
        spec = spec_of("second", test_image, acme.spec.port, second.tenant_id, second.index)
        taken = await docker.create(second.name, create_body(NAMES, spec, second.side))
        try:
            with pytest.raises(StepFailed) as caught:
                await docker.start(taken)
            assert caught.value.code == "container.port_taken"
            assert str(acme.spec.port) in caught.value.detail
            seen = await docker.container(second.name)
            assert seen is not None
            assert seen.state == "created"
            assert answers("127.0.0.1", acme.spec.port)
        finally:
            await docker.remove(taken)


async def test_an_image_that_is_missing(docker: Docker, acme: Handmade) -> None:
    with pytest.raises(StepFailed) as caught:
        await docker.create("zct-other", create_body(NAMES, replace(acme.spec, image_id="sha256:" + "0" * 64), acme.side))
    assert caught.value.code == "image.missing"
    assert await docker.image("sha256:" + "0" * 64) is None


async def test_a_directory_that_is_missing_is_not_made_by_the_engine(
    docker: Docker, acme: Handmade, test_image: str, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed) as caught:
        await docker.create("zct-other", create_body(NAMES, spec_of("other", test_image, free_port()), side_of(tmp_path, "other", 0)))
    assert caught.value.code == "container.mount_missing"
    assert not (tmp_path / "tenants" / "other").exists()


async def test_a_network_that_is_missing(docker: Docker, acme: Handmade, test_image: str, tmp_path: Path) -> None:
    async with tenant(docker, tmp_path, test_image, "second", 2, is_started=False) as second:
        await docker.remove_network(second.network_id)
        with pytest.raises(StepFailed) as caught:
            await docker.start(second.container_id)
        assert caught.value.code == "network.missing"


async def test_a_subnet_that_is_taken(docker: Docker, acme: Handmade) -> None:
    with pytest.raises(StepFailed) as caught:
        await docker.create_network(network_body(NAMES, TenantRef(new_tenant_id(), "other"), acme.index, POOL))
    assert caught.value.code == "network.subnet_taken"


async def test_a_network_name_that_is_taken(docker: Docker, acme: Handmade) -> None:
    with pytest.raises(StepFailed) as caught:
        await docker.create_network(network_body(NAMES, TenantRef(new_tenant_id(), acme.slug), 9, POOL))
    assert caught.value.code == "network.name_taken"


async def test_networks_are_listed_and_removed_once_and_again(docker: Docker, acme: Handmade) -> None:
    (seen,) = await docker.networks(NAMES.instance)
    assert (seen.id, seen.name, seen.labels[LABEL_TENANT]) == (acme.network_id, acme.name, acme.tenant_id)
    with pytest.raises(StepFailed) as caught:
        await docker.remove_network(acme.network_id)
    assert caught.value.code == "network.in_use"
    await docker.remove(acme.container_id)
    await docker.remove_network(acme.network_id)
    await docker.remove_network(acme.network_id)
    assert await docker.network(acme.name) is None


async def test_logs_are_lines_with_an_end(engine: Engine, docker: Docker, acme: Handmade) -> None:
    await inside(
        engine.socket, acme.name, "head -c 300000 /dev/zero | tr '\\0' a > /proc/1/fd/1; echo >/proc/1/fd/1; echo last >/proc/1/fd/1"
    )

    async def has_arrived() -> bool:
        return [line async for line in docker.logs(acme.name, tail=1)] == [b"last"]

    await until(has_arrived, 10, "the engine has read the last line")
    lines = [line async for line in docker.logs(acme.name, longest=1000)]
    assert lines[0] == b"agent of %d is up" % acme.spec.uid
    assert lines[-1] == b"last"
    assert max(len(line) for line in lines) == 1000
    (stamped,) = [line async for line in docker.logs(acme.name, tail=1, timestamps=True)]
    assert stamped.endswith(b"Z last")


async def test_following_logs_ends_with_the_container(docker: Docker, acme: Handmade) -> None:
    async with aclosing(docker.logs(acme.name, follow=True)) as lines:
        assert await anext(lines) == b"agent of %d is up" % acme.spec.uid
        await docker.stop(acme.container_id, 5)
        assert [line async for line in lines] == []


async def test_events_name_the_tenant(docker: Docker, acme: Handmade) -> None:
    async with aclosing(docker.events(NAMES.instance)) as events:
        waiting = asyncio.ensure_future(anext(events))
        while not waiting.done():
            # The engine does not say when it listens: events before that are lost.
            await docker.stop(acme.container_id, 5)
            await docker.start(acme.container_id)
            await asyncio.wait([waiting], timeout=0.2)
        seen = {await waiting}
        while not {(acme.tenant_id, "die"), (acme.tenant_id, "start"), (None, "connect")} <= seen:
            seen.add(await asyncio.wait_for(anext(events), 10))
            if len(seen) < 6:
                await docker.stop(acme.container_id, 5)
                await docker.start(acme.container_id)


async def test_a_container_lives_through_a_killed_engine(engine: Engine, docker: Docker, acme: Handmade) -> None:
    engine.kill()
    try:
        with pytest.raises(EngineUnreachable):
            await docker.containers(NAMES.instance)
    finally:
        await asyncio.to_thread(engine.start)
    (seen,) = await docker.containers(NAMES.instance)
    assert (seen.id, seen.state) == (acme.container_id, "running")


async def test_an_engine_that_hangs_is_waited_for_until_the_deadline(engine: Engine) -> None:
    async with Docker(engine.socket, deadline_s=0.3) as impatient:
        await impatient.ping()
        engine.pause()
        try:
            with pytest.raises(EngineUnreachable) as caught:
                await impatient.containers(NAMES.instance)
        finally:
            engine.resume()
        assert "did not answer in time" in caught.value.detail


async def test_an_image_is_imported_seen_and_removed(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("hello")
    tar = tmp_path / "image.tar"
    await (await asyncio.create_subprocess_exec("tar", "-C", tmp_path, "-cf", tar, "hello")).wait()
    made = await docker.import_image(tar, ['LABEL kind="a test"', 'CMD ["/hello"]'], "zcptest-hello:v1")
    seen = await docker.image("zcptest-hello:v1")
    assert seen is not None
    assert (seen.id, seen.labels) == (made, {"kind": "a test"})
    # An engine with containerd's image store knows every image by a digest.
    assert seen.digests in ((), (f"zcptest-hello@{made}",))
    assert seen.size_bytes >= 5
    await docker.remove_image(made)
    await docker.remove_image(made)
    assert await docker.image(made) is None


async def test_an_image_in_use_is_not_removed(docker: Docker, acme: Handmade, test_image: str) -> None:
    with pytest.raises(StepFailed) as caught:
        await docker.remove_image(test_image)
    assert caught.value.code == "image.in_use"


async def test_a_pull_that_fails_is_an_error(docker: Docker) -> None:
    with pytest.raises(StepFailed):
        [line async for line in docker.pull("registry.invalid/nothing:1")]


async def test_nothing_of_the_configuration_is_in_what_the_engine_keeps(engine: Engine, acme: Handmade) -> None:
    assert "42617\\n" not in json.dumps(await raw(engine.socket, acme.name))
