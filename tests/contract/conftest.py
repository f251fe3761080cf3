"""The agents under test. One running agent serves all tests that only ask; each test has its own client address, so that limits never meet."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.rig import CANARY, Home, Program, Running, echo_model, programs
from zcplatform.agent import provider_input
from zcplatform.agent.provider_input import ProviderWithKey

_hosts = itertools.count(1)


@pytest.fixture(scope="session", params=programs(), ids=str)
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.param
    return found


@pytest.fixture(scope="session")
def model() -> Iterator[str]:
    with echo_model() as address:
        yield address


@pytest.fixture(scope="session")
def provider(model: str) -> ProviderWithKey:
    return provider_input.of("custom", "echo", base_url=model, api_key=CANARY)


@pytest.fixture
def home(tmp_path: Path, program: Program, provider: ProviderWithKey) -> Home:
    home = Home(tmp_path, program)
    home.prepare(provider)
    return home


@pytest.fixture
def agent(home: Home) -> Iterator[Running]:
    """An agent of its own."""
    with home.running() as running:
        yield running


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, program: Program, provider: ProviderWithKey) -> Iterator[Running]:
    """An agent for tests that leave nothing behind."""
    home = Home(tmp_path_factory.mktemp("shared"), program)
    home.prepare(provider)
    home.gateway(webhook_rate_limit_per_minute=1000, pair_rate_limit_per_minute=1000)
    with home.running() as running:
        yield running


@pytest.fixture
def client() -> str:
    return f"203.0.113.{next(_hosts)}"


@pytest.fixture
def new_client() -> Callable[[], str]:
    return lambda: f"198.51.100.{next(_hosts)}"
