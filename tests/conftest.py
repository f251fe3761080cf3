"""What tests share: a database of the newest schema, with nothing in it but the plans."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from zcplatform.store.db import Database, connect
from zcplatform.store.migrate import migrate

# A slow machine is no mistake of what is tested.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def make_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """Makes the file of a database. All its steps are taken once, and copied from then on."""
    first = tmp_path_factory.mktemp("database") / "zcplatform.db"
    connection = connect(first, query_only=False)
    migrate(connection, first)
    connection.close()
    content = first.read_bytes()

    def make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return make


@pytest.fixture
def database(tmp_path: Path, make_database: Callable[[Path], None]) -> Iterator[Database]:
    make_database(tmp_path / "zcplatform.db")
    opened = Database(tmp_path / "zcplatform.db")
    yield opened
    opened.close()
