"""What tests of the worker share."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.worker.agent_calls_rig import Make, Rig, make_rig
from zcplatform.ops.providers import MainProvider
from zcplatform.store.db import Database


@pytest.fixture
async def make(database: Database, tmp_path: Path) -> AsyncIterator[Make]:
    """A running tenant whose agent is to be found on `port`."""
    made: list[Rig] = []

    def one(port: int, provider: MainProvider | None = None, **settings: Any) -> Rig:
        made.append(make_rig(database, tmp_path, port, provider, settings))
        return made[-1]

    yield one
    for rig in made:
        await rig.deps.gateway.close()
