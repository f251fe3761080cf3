"""What tests share: a database of the newest schema, with nothing in it but the plans."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from zcplatform.store.db import Database, connect
from zcplatform.store.migrate import migrate


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "zcplatform.db"
    connection = connect(path, query_only=False)
    migrate(connection, path)
    connection.close()
    opened = Database(path)
    yield opened
    opened.close()
