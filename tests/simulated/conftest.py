"""The rig, on a database of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulated.rig import Rig
from zcplatform.store.db import Database


@pytest.fixture
def rig(tmp_path: Path, database: Database) -> Iterator[Rig]:
    made = Rig(tmp_path, database)
    yield made
    made.close()
