"""Images from a real registry: pinned to what a tag meant, never pulled again, and failures are reported in words."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.engine import Engine
from tests.live.platform import Platform
from tests.live.registry import Registry
from tests.live.waiting import wait_until

pytestmark = pytest.mark.live
TAG, MOVING = "v0.8.7", "stable"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    made = Registry(tmp_path_factory.mktemp("registry") / "data")
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def puller(engine: Engine, registry: Registry) -> Iterator[Platform]:
    """An installation without any image, and a registry that holds the demo agent's under two tags."""
    made = Platform(engine, "puller", image_repositories=[registry.name])
    try:
        made.start()
        made.make_image()
        demo = images(made)[0]
        for tag in (TAG, MOVING):
            push(made, demo["image_id"], f"{registry.name}:{tag}")
        made.finish(made.api("DELETE", f"/api/images/{demo['id']}").body)
        assert made.docker("images", "-q", "--filter", "label=io.zcplatform.made-by=puller") == ""
        yield made
    finally:
        made.close()


def images(platform: Platform) -> list[dict[str, Any]]:
    return [item for item in platform.api("GET", "/api/images").body["items"] if item["status"] != "removed"]


def push(platform: Platform, engine_id: str, name: str) -> None:
    """With the local name taken away again."""
    platform.docker("tag", engine_id, name)
    assert "digest:" in platform.docker("push", name)
    platform.docker("rmi", name)


def pull(platform: Platform, reference: str) -> dict[str, Any]:
    answer = platform.api("POST", "/api/images", {"source": "pull", "reference": reference})
    assert answer.status == 202, answer
    return platform.end(answer.body, 90)


def cli(platform: Platform, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = tmp_path / "token"
    token.write_text(platform.token)
    token.chmod(0o600)
    command = [sys.executable, "-I", "-m", "zcplatform", "--settings", str(platform.settings_path), "--token-file", str(token)]
    environment = {"PATH": "/usr/bin:/bin", "XDG_CONFIG_HOME": str(tmp_path)}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False, env=environment, timeout=120)


def running(platform: Platform, slug: str) -> str:
    """The engine's id of the image that the tenant's container is of."""
    return platform.docker("inspect", "-f", "{{.Image}}", platform.names.container(slug))


def test_a_pulled_image_is_pinned_and_needs_its_registry_no_more(puller: Platform, registry: Registry, tmp_path: Path) -> None:
    done = cli(puller, tmp_path, "images", "pull", f"{registry.name}:{TAG}")
    assert done.returncode == 0, done.stderr
    image = next(item for item in images(puller) if item["reference"] == f"{registry.name}:{TAG}")
    assert done.stdout.strip() == f"{image['id']}: {registry.digest(TAG)} (new)"
    assert (image["status"], image["digest"], image["agent_version"]) == ("ready", registry.digest(TAG), "0.8.7-demo")
    puller.create("pinned", image=image["id"])
    puller.do("pinned", "deploy")
    registry.stop()
    puller.do("pinned", "restart")
    puller.docker("rm", "-f", puller.names.container("pinned"))
    puller.wait_state("pinned", "running")
    wait_until(lambda: running(puller, "pinned") == image["image_id"], 40, "the container is made again, of the same image")
    puller.docker("image", "prune", "-f")
    puller.do("pinned", "delete")
    puller.docker("image", "prune", "-f")
    assert puller.docker("image", "inspect", "-f", "{{.Id}}", image["image_id"]) == image["image_id"], "a tidied engine keeps it"
    registry.start()


def test_a_tag_that_moved_is_a_new_image_and_moves_nobody(puller: Platform, registry: Registry) -> None:
    first = pull(puller, f"{registry.name}:{MOVING}")["result"]
    before = next(item for item in images(puller) if item["id"] == first["image"])
    puller.create("stays", image=before["id"])
    puller.do("stays", "deploy")
    again = pull(puller, f"{registry.name}:{MOVING}")
    assert again["result"] == {"image": before["id"], "digest": before["digest"], "is_new": False}

    container = puller.docker("create", before["image_id"])
    puller.docker("commit", "--change", "LABEL newer=yes", container, f"{registry.name}:newer")
    puller.docker("rm", container)
    newer = puller.docker("image", "inspect", "-f", "{{.Id}}", f"{registry.name}:newer")
    puller.docker("tag", newer, f"{registry.name}:{MOVING}")
    assert "digest:" in puller.docker("push", f"{registry.name}:{MOVING}")
    puller.docker("rmi", f"{registry.name}:newer", f"{registry.name}:{MOVING}")
    puller.do("stays", "restart")
    assert running(puller, "stays") == before["image_id"]

    moved = pull(puller, f"{registry.name}:{MOVING}")["result"]
    assert (moved["is_new"], moved["digest"]) == (True, registry.digest(MOVING))
    assert moved["image"] != before["id"]
    asked = puller.finish(puller.api("POST", f"/api/images/{moved['image']}/preflight").body)
    assert [(one["tenant"], one["accepted"]) for one in asked["result"]["tenants"]] == [("stays", True)]
    assert running(puller, "stays") == before["image_id"], "nobody is moved by a pull"
    puller.docker("rm", "-f", puller.names.container("stays"))
    wait_until(lambda: running(puller, "stays") == before["image_id"], 40, "what the tag meant is still there to be deployed")
    puller.wait_state("stays", "running")
    puller.finish(puller.api("PATCH", "/api/tenants/stays", {"image": moved["image"]}).body)
    assert running(puller, "stays") != before["image_id"]
    puller.do("stays", "delete")
    puller.finish(puller.api("DELETE", f"/api/images/{moved['image']}").body)
    assert puller.docker("images", "-q", "--filter", "label=newer=yes") == "", "a removed image leaves nothing on the host"


def test_a_digest_is_pulled_once(puller: Platform, registry: Registry) -> None:
    reference = f"{registry.name}@{registry.digest(TAG)}"
    ended = pull(puller, reference)
    assert ended["status"] == "succeeded", ended
    registry.stop()
    again = pull(puller, reference)["result"]
    registry.start()
    assert again == {"image": ended["result"]["image"], "digest": registry.digest(TAG), "is_new": False}
    with_tag = pull(puller, f"{registry.name}:{TAG}@{registry.digest(TAG)}")
    assert with_tag["status"] == "succeeded", with_tag


def test_a_pinned_image_that_is_gone_from_the_engine_is_pulled_again(puller: Platform, registry: Registry) -> None:
    reference = f"{registry.name}@{registry.digest(TAG)}"
    made = pull(puller, reference)["result"]
    engine_id = next(item for item in images(puller) if item["id"] == made["image"])["image_id"]
    puller.create("comes-back", image=made["image"])
    puller.do("comes-back", "deploy")
    puller.docker("rm", "-f", puller.names.container("comes-back"))
    puller.docker("rmi", "-f", engine_id)
    puller.wait_state("comes-back", "failed")
    assert pull(puller, reference)["result"] == made | {"is_new": False}
    puller.wait_state("comes-back", "running")
    assert running(puller, "comes-back") == engine_id
    puller.do("comes-back", "delete")


@pytest.mark.parametrize("name", [":no-such-tag", "@sha256:" + "0" * 64])
def test_what_the_registry_does_not_have_is_told(puller: Platform, registry: Registry, name: str) -> None:
    ended = pull(puller, f"{registry.name}{name}")
    assert (ended["status"], ended["error"]["code"]) == ("failed", "image.missing"), ended
    assert registry.name in ended["error"]["detail"]


def test_a_registry_that_is_down_is_told(puller: Platform, registry: Registry, tmp_path: Path) -> None:
    closed = Registry(tmp_path / "never")
    closed.close()
    puller.stop_serve()
    puller.configure(image_repositories=[registry.name, closed.name])
    puller.start_serve()
    ended = pull(puller, f"{closed.name}:v0.8.7")
    assert (ended["status"], ended["error"]["code"]) == ("failed", "registry.unreachable"), ended
    assert closed.name in ended["error"]["detail"]


def test_another_repository_of_the_same_registry_is_refused(puller: Platform, registry: Registry) -> None:
    answer = puller.api("POST", "/api/images", {"source": "pull", "reference": f"{registry.name}-evil:v0.8.7"})
    assert (answer.status, answer.body["code"]) == (422, "image.not_allowed")


def test_a_slow_pull_tells_how_far_it_is(puller: Platform, registry: Registry, tmp_path: Path) -> None:
    # Of one layer that no other image of this engine has: what is here already is not fetched.
    (tmp_path / "content").write_bytes(os.urandom(4_000_000))
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "layer.tar", "content"], check=True)
    large = puller.docker(
        "import", "--change", "LABEL org.opencontainers.image.version=0.8.7", str(tmp_path / "layer.tar"), f"{registry.name}:made"
    )
    push(puller, large, f"{registry.name}:large")
    puller.docker("rmi", f"{registry.name}:made")
    registry.relay.hold_after(2_000_000)
    told = [""]
    try:
        operation = puller.api("POST", "/api/images", {"source": "pull", "reference": f"{registry.name}:large"}).body

        def is_told() -> bool:
            told.append(str(puller.api("GET", f"/api/operations/{operation['id']}").body["reason"]))
            return told[-1].startswith("pulling: 0 of 1 layers, ") and " 0.0 of" not in told[-1]

        wait_until(is_told, 30, "progress is reported")
    except TimeoutError as error:
        raise AssertionError(f"the last report was {told[-1]!r}") from error
    finally:
        registry.relay.let_go()
    puller.finish(operation, 90)


def test_an_engine_without_room_is_told(puller: Platform, registry: Registry) -> None:
    # Without its firewall rules: they would take the place of those of the other engine in this network.
    small = Engine("--iptables=false", "--ip6tables=false")
    data = small.root / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "small", str(data)], check=True)
    platform = Platform(small, "full", image_repositories=[registry.name])
    try:
        small.start()
        platform.start()
        ended = pull(platform, f"{registry.name}:{TAG}")
        assert (ended["status"], ended["error"]["code"]) == ("failed", "engine.disk_full"), ended
        assert "space" in ended["error"]["hint"]
    finally:
        platform.close()
        small.close()
