"""The adapter against engines that are slow, wrong, forgetful or die in the middle. What the real one does is in tests/live."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.engines.docker.test_bodies import SIDE, SPEC
from tests.fakes.bad_engines import DyingDocker, ForgetfulDocker, LyingDocker, SlowDocker, UnendingLogsDocker
from tests.fakes.engines import HonestDocker
from zcplatform.engines.docker.bodies import create_body, network_body
from zcplatform.engines.docker.client import Docker
from zcplatform.engines.protocol import EngineUnreachable
from zcplatform.engines.seen import PullProgress
from zcplatform.errors import PlatformError, StepFailed
from zcplatform.ids import Names

NAMES = Names("zc")
BODY = create_body(NAMES, SPEC, SIDE)
NETWORK = network_body(NAMES, SPEC.tenant, 1, IPv4Network("10.83.0.0/16"))


@pytest.fixture
def socket(tmp_path: Path) -> Path:
    return tmp_path / "docker.sock"


def with_image(engine: HonestDocker) -> HonestDocker:
    engine.images[SPEC.image_id] = {"Id": SPEC.image_id, "RepoTags": ["x:1"], "RepoDigests": [], "Config": {"Labels": None}, "Size": 1}
    return engine


async def test_a_life_of_a_container(socket: Path) -> None:
    async with with_image(HonestDocker()).on(socket) as engine, Docker(socket) as docker:
        made = await docker.create("zc-acme", BODY)
        await docker.start(made)
        await docker.start(made)
        (seen,) = await docker.containers("zc")
        assert (seen.id, seen.name, seen.state, seen.image_id) == (made, "zc-acme", "running", SPEC.image_id)
        await docker.stop(made, 20)
        await docker.stop(made, 20)
        await docker.remove(made)
        await docker.remove(made)
        assert await docker.container("zc-acme") is None
        assert ("POST", "/v1.41/containers/create") in engine.calls


async def test_a_followed_log_ends_with_its_container_where_the_engine_keeps_it_open(socket: Path) -> None:
    async with with_image(UnendingLogsDocker()).on(socket), Docker(socket) as docker, asyncio.timeout(60):
        made = await docker.create("zc-acme", BODY)
        await docker.start(made)
        lines = []
        async for line in docker.logs("zc-acme", follow=True):
            lines.append(line)
            await docker.stop(made, 20)
        assert lines == [b"hello"]


async def test_many_containers_are_one_request(socket: Path) -> None:
    async with with_image(HonestDocker()).on(socket) as engine, Docker(socket) as docker:
        for number in range(20):
            await docker.create(f"zc-{number}", BODY)
        for container in engine.containers.values():
            container["State"]["Status"] = "running"
        engine.calls.clear()
        assert len(await docker.containers("zc")) == 20
        assert [path for _, path in engine.calls] == ["/v1.41/containers/json"]


async def test_only_what_ended_badly_is_asked_for_its_reason(socket: Path) -> None:
    async with with_image(HonestDocker()).on(socket) as engine, Docker(socket) as docker:
        ids = [await docker.create(f"zc-{number}", BODY) for number in range(3)]
        engine.containers[ids[0]]["State"]["Status"] = "running"
        engine.containers[ids[1]]["State"] |= {"Status": "exited", "ExitCode": 0}
        engine.containers[ids[2]]["State"] |= {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "Error": "x\ny" * 1000}
        engine.calls.clear()
        seen = await docker.containers("zc")
        assert [one.exit_code for one in seen] == [None, 0, 137]
        assert seen[2].oom_killed
        assert len(seen[2].error) == 300
        assert [path for _, path in engine.calls] == ["/v1.41/containers/json", f"/v1.41/containers/{ids[2]}/json"]


async def test_an_engine_that_is_not_there(socket: Path) -> None:
    async with Docker(socket) as docker:
        with pytest.raises(EngineUnreachable) as caught:
            await docker.containers("zc")
    assert (caught.value.code, caught.value.status, caught.value.retry_after_s) == ("engine.unreachable", 503, 10)
    assert str(socket) in caught.value.detail


async def test_it_is_found_again_also_as_another_version(socket: Path) -> None:
    async with Docker(socket) as docker:
        async with HonestDocker().on(socket):
            assert (await docker.ping()).version == "20.10.24"
        with pytest.raises(EngineUnreachable):
            await docker.containers("zc")
        newer = HonestDocker()
        newer.version, newer.api_version = "28.5.1", "1.51"
        async with newer.on(socket):
            assert await docker.containers("zc") == []
            assert newer.calls[-1] == ("GET", "/v1.51/containers/json")


@pytest.mark.parametrize("path", ["version", "/containers/json"])
async def test_a_slow_engine_is_waited_for_until_the_deadline(socket: Path, path: str) -> None:
    async with SlowDocker(path).on(socket), Docker(socket, deadline_s=0.05) as docker:
        with pytest.raises(EngineUnreachable) as caught:
            await docker.containers("zc")
    assert "did not answer in time" in caught.value.detail


async def test_stopping_may_take_as_long_as_the_container_was_given(socket: Path) -> None:
    engine = SlowDocker("/stop", "/info")
    async with with_image(engine).on(socket), Docker(socket, deadline_s=0.05) as docker:
        made = await docker.create("zc-acme", BODY)
        await docker.start(made)
        stopping = asyncio.ensure_future(docker.stop(made, 20))
        with pytest.raises(EngineUnreachable):
            await docker.ping()
        assert not stopping.done()
        engine.hurry.set()
        await stopping


LIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[{}]",
    b"[1]",
    b'"text"',
    b"\xff\xfe",
    b"<html>",
    b'[{"Id": 5}]',
    b'[{"Id": ""}]',
    b"[" * 2000,
    b'{"Id": null, "State": 3}',
    b'{"Id": 5}',
]
QUESTIONS: dict[str, Any] = {
    "/version": lambda docker: docker.ping(),
    "/info": lambda docker: docker.ping(),
    "/containers/json": lambda docker: docker.containers("zc"),
    "/containers/zc-acme/json": lambda docker: docker.container("zc-acme"),
    "/containers/create": lambda docker: docker.create("zc-acme", BODY),
    "/networks": lambda docker: docker.networks("zc"),
    "/networks/zc-acme": lambda docker: docker.network("zc-acme"),
    "/networks/create": lambda docker: docker.create_network(NETWORK),
    "/images/x:1/json": lambda docker: docker.image("x:1"),
}


async def told_by(question: Awaitable[Any]) -> Any:
    """Any other exception than ours fails the test."""
    try:
        return await question
    except PlatformError as error:
        return "an error" if len(error.detail) < 500 else error.detail


@pytest.mark.parametrize("path", QUESTIONS)
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_a_lie_is_an_error_of_ours_or_an_empty_answer(tmp_path: Path, path: str, status: int, content_type: str) -> None:
    for number, lie in enumerate(LIES):
        socket = tmp_path / f"{number}.sock"
        async with LyingDocker(path, lie, status, content_type).on(socket), Docker(socket, deadline_s=5) as docker:
            told = await told_by(QUESTIONS[path](docker))
            assert told in ("an error", [], None) or path == "/info"
            assert told == "an error" or status == 200


async def test_what_the_filter_should_have_kept_out_is_left_out(socket: Path) -> None:
    foreign = [
        {"Id": "a" * 64, "Names": ["/x"], "State": "running", "Status": "Up", "ImageID": "i", "Labels": {"io.zcplatform.instance": "other"}}
    ]
    async with LyingDocker("/containers/json", json.dumps(foreign).encode()).on(socket), Docker(socket) as docker:
        assert await docker.containers("zc") == []


async def test_another_object_under_the_asked_name_is_not_believed(socket: Path) -> None:
    answer = {"Id": "b" * 64, "Name": "/other", "Config": {"Labels": {}}, "State": {"Status": "running"}, "HostConfig": {}}
    async with LyingDocker("/json", json.dumps(answer).encode()).on(socket), Docker(socket) as docker:
        assert await docker.container("zc-acme") is None


async def test_what_was_forgotten_is_seen_to_be_missing(socket: Path) -> None:
    async with with_image(ForgetfulDocker()).on(socket), Docker(socket) as docker:
        made = await docker.create("zc-acme", BODY)
        assert await docker.container("zc-acme") is None
        with pytest.raises(StepFailed) as caught:
            await docker.start(made)
        assert caught.value.code == "container.missing"


@pytest.mark.parametrize("path", QUESTIONS)
async def test_a_connection_that_is_cut_is_an_engine_that_is_unreachable(socket: Path, path: str) -> None:
    async with with_image(DyingDocker(path, b'{"Id": "')).on(socket), Docker(socket) as docker:
        with pytest.raises(EngineUnreachable):
            await QUESTIONS[path](docker)


async def test_a_pull_that_is_cut_has_not_succeeded(socket: Path) -> None:
    async with DyingDocker("/images/create", b'{"status": "Downloading", "id": "abc"}\n').on(socket), Docker(socket) as docker:
        lines = docker.pull("ghcr.io/a/b:1")
        assert str(await anext(lines)) == "0 of 1 layers, 0.0 of 0.0 MB"
        with pytest.raises(EngineUnreachable):
            await anext(lines)


async def test_a_pull_tells_its_progress(socket: Path) -> None:
    async with HonestDocker().on(socket) as engine, Docker(socket) as docker:
        assert [pulled async for pulled in docker.pull("ghcr.io/a/b")] == [
            PullProgress(),
            PullProgress(1, 0, 5, 20),
            PullProgress(1, 1, 20, 20),
            PullProgress(1, 1, 20, 20),
        ]
        assert await docker.image("ghcr.io/a/b") is not None
        assert engine.calls[-2][0] == "POST"


async def test_a_pull_that_fails_inside_a_success(socket: Path) -> None:
    lie = b'{"status":"Pulling"}\n{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}\n'
    async with LyingDocker("/images/create", lie).on(socket), Docker(socket) as docker:
        with pytest.raises(StepFailed) as caught:
            [line async for line in docker.pull("ghcr.io/a/b:1")]
    assert caught.value.code == "image.missing"


@pytest.mark.parametrize("asked", ["pull", "digest"])
async def test_a_silent_registry_is_no_silent_engine(socket: Path, asked: str) -> None:
    async with SlowDocker("/images/create", "/distribution/").on(socket), Docker(socket, idle_s=0.05) as docker:
        with pytest.raises(StepFailed, match="nothing came from the registry") as caught:
            await (docker.digest("ghcr.io/a/b:1") if asked == "digest" else _all(docker.pull("ghcr.io/a/b:1")))
    assert caught.value.code == "registry.unreachable"


async def test_an_engine_that_falls_silent_in_a_pull_is_waited_for(socket: Path) -> None:
    async with SlowDocker().on(socket), Docker(socket, idle_s=0.05, deadline_s=0.05) as docker:
        with pytest.raises(EngineUnreachable):
            await _all(docker.pull("ghcr.io/a/b:1"))


async def test_a_pull_that_drips_has_an_end(socket: Path) -> None:
    async with HonestDocker().on(socket), Docker(socket, pull_s=0) as docker:
        with pytest.raises(StepFailed, match="not there after 0 s") as caught:
            await _all(docker.pull("ghcr.io/a/b:1"))
    assert caught.value.code == "registry.unreachable"


async def _all(pull: AsyncIterator[PullProgress]) -> list[PullProgress]:
    return [line async for line in pull]


async def test_an_import_streams_the_file(socket: Path, tmp_path: Path) -> None:
    tar = tmp_path / "image.tar"
    with tar.open("wb") as file:
        file.truncate(20_000_000)
    async with HonestDocker().on(socket) as engine, Docker(socket) as docker:
        made = await docker.import_image(tar, ['CMD ["/x"]', "LABEL a=b"], "zc-demo:latest")
        assert engine.images[made]["Size"] == 20_000_000
        seen = await docker.image("zc-demo:latest")
        assert seen is not None
        assert seen.id == made


async def test_an_import_without_an_id_is_an_error(socket: Path, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"x")
    async with LyingDocker("/images/create", b'{"status":"done"}\n').on(socket), Docker(socket) as docker:
        with pytest.raises(StepFailed) as caught:
            await docker.import_image(tmp_path / "image.tar", [], "zc-demo:latest")
    assert caught.value.code == "engine.bad_answer"


async def test_events_of_others_are_not_told(socket: Path) -> None:
    class Eventful(HonestDocker):
        def events(self) -> list[dict[str, Any]]:
            ours = {"io.zcplatform.instance": "zc", "io.zcplatform.tenant": SPEC.tenant.id, "name": "zc-acme"}
            return [
                {"Type": "container", "Action": "die", "Actor": {"Attributes": ours}},
                {"Type": "container", "Action": "die", "Actor": {"Attributes": {"name": "zc-forged"}}},
                {"Type": "network", "Action": "connect", "Actor": {"Attributes": {"name": "zc-acme"}}},
                {"Type": "network", "Action": "connect", "Actor": {"Attributes": {"name": "zcother-acme"}}},
                {"Type": "network", "Action": "connect"},
            ]

    async with Eventful().on(socket), Docker(socket) as docker:
        assert [event async for event in docker.events("zc")] == [(SPEC.tenant.id, "die"), (None, "connect")]


@pytest.mark.parametrize("name", ["../images/x", "a/../b", "x?force=1", "x#y", "x%2fy", "", " ", "x\n", "-x", "é"])
async def test_a_name_that_could_mean_another_path_is_never_sent(socket: Path, name: str) -> None:
    async with HonestDocker().on(socket) as engine, Docker(socket) as docker:
        for call in (
            docker.container(name),
            docker.network(name),
            docker.image(name),
            docker.start(name),
            docker.remove(name),
            docker.stop(name, 1),
        ):
            with pytest.raises(ValueError, match="not a name"):
                await call
        assert engine.calls == []
