"""The real engine, one for the whole run: starting it costs some seconds."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.live.edge_rig import Rig, free_port, started
from tests.live.engine import IMAGE_CHANGES, Engine, NoEngine, busybox_tar
from tests.live.platform import Platform
from tests.live.post import Post
from zcplatform.engines.docker.client import Docker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The HTTP library of the tests leaves the socket of a connection that died to the collector; these tests kill what they talk to."""
    for item in items:
        if {"platform", "spoiled", "killed"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    try:
        made = Engine("--live-restore", "--userland-proxy=false")
        try:
            made.start()
            yield made
        finally:
            made.close()
    except NoEngine as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def test_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of an image with a shell that answers on the gateway's port."""
    tar = busybox_tar(tmp_path_factory.mktemp("image") / "image.tar")
    return asyncio.run(_import(engine.socket, tar))


@pytest.fixture
async def docker(engine: Engine) -> AsyncIterator[Docker]:
    async with Docker(engine.socket) as client:
        yield client


async def _import(socket: Path, tar: Path) -> str:
    async with Docker(socket) as client:
        return await client.import_image(tar, IMAGE_CHANGES, "zcptest-busybox:latest")


@pytest.fixture
async def made(anyio_backend: str) -> AsyncIterator[Rig]:
    """The edge with a loop beside it, of its own for each test."""
    async with started() as found:
        yield found


@pytest.fixture(scope="session")
def platform(engine: Engine) -> Iterator[Platform]:
    """One installation for the whole run; each test leaves it as it found it."""
    made = Platform(engine, "live")
    try:
        made.start()
        made.make_image()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    """A mail server that keeps what it receives."""
    made = Post(free_port())
    made.open()
    yield made
    made.close()
