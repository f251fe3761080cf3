"""A database that is gone is no first start: nothing is swept, no key is made, no second audit log begins."""

from collections.abc import Callable
from pathlib import Path

import pytest

from zcplatform.errors import CannotRun
from zcplatform.settings import Settings
from zcplatform.store.db import connect
from zcplatform.store.migrate import migrate
from zcplatform.vault import keys
from zcplatform.worker.new_installation import is_new


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data", key_file=tmp_path / "root.key", docker_socket=tmp_path / "no-engine")
    made.database.parent.mkdir(parents=True)
    made.tenants_dir.mkdir()
    return made


def _key(settings: Settings) -> None:
    keys.create(settings.key_file)


def _anchors(settings: Settings) -> None:
    settings.anchor_file.write_text("an anchor\n")


def _owners(settings: Settings) -> None:
    (settings.tenants_dir / ".owners").mkdir()
    (settings.tenants_dir / ".owners" / "shop").write_text("ten_1")


def _missing(settings: Settings) -> None:
    """As with a data_dir that is not mounted."""


def _truncated(settings: Settings) -> None:
    settings.database.touch()


def _without_tables(settings: Settings) -> None:
    connect(settings.database, query_only=False).close()


@pytest.mark.parametrize("lose", [_missing, _truncated, _without_tables])
def test_nothing_at_all_is_a_new_installation(settings: Settings, lose: Callable[[Settings], None]) -> None:
    lose(settings)
    assert is_new(settings)


@pytest.mark.parametrize("lose", [_missing, _truncated, _without_tables])
@pytest.mark.parametrize("trace", [_key, _anchors, _owners])
def test_a_trace_of_an_installation_refuses_the_start(
    settings: Settings, trace: Callable[[Settings], None], lose: Callable[[Settings], None]
) -> None:
    trace(settings)
    lose(settings)
    with pytest.raises(CannotRun, match="not a new installation") as refused:
        is_new(settings)
    assert refused.value.code == "database.missing"


def test_a_database_is_never_new(settings: Settings) -> None:
    connection = connect(settings.database, query_only=False)
    migrate(connection, settings.database)
    connection.close()
    for trace in (_key, _anchors, _owners):
        trace(settings)
    assert not is_new(settings)
