"""The real agent, a copy of it that believes the tests' certificates, and the model both talk to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent_channels.model import Model, serving
from tests.agent_channels.rig import Place
from tests.agent_channels.trust import Trust


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.agent)


@pytest.fixture(scope="session")
def original() -> Path:
    """The agent as it was installed."""
    program = os.environ.get("AGENT")
    if not program:
        pytest.fail("AGENT must name the real agent's program: scripts/test-agent does", pytrace=False)
    return Path(program)


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    folder = tmp_path_factory.mktemp("trust")
    for above in (folder, *folder.parents[:3]):
        above.chmod(above.stat().st_mode | 0o055)
    return Trust(folder)


@pytest.fixture(scope="session")
def believing(trust: Trust, original: Path) -> Path:
    """The agent that believes the tests' authority."""
    return trust.program(original)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def place(model: Model, original: Path) -> Iterator[Place]:
    with serving(model) as address:
        yield Place(original, model, address)
