"""The doctor names a changed schema and loops in trouble, and stays silent about what it cannot look at."""

import json
import os
import socket
import threading
from pathlib import Path

import apsw
import pytest

from tests.core.test_doctor import SOUND
from zcplatform.cli.platform_facts import with_platform
from zcplatform.settings import Settings
from zcplatform.store.db import connect
from zcplatform.store.migrate import migrate

LOOP = {"name": "mail", "is_late": False, "error_code": "", "error": ""}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(data_dir=tmp_path / "data", run_dir=tmp_path)
    made.database.parent.mkdir(parents=True)
    made.worker_socket.parent.mkdir(exist_ok=True)
    return made


def test_without_a_database_and_a_worker_nothing_is_said(settings: Settings) -> None:
    found = with_platform(SOUND, settings)
    assert (found.database_trouble, found.loop_troubles) == (None, None)


def test_a_trigger_is_named(settings: Settings) -> None:
    connection = connect(settings.database, query_only=False)
    migrate(connection, settings.database)
    assert with_platform(SOUND, settings).database_trouble == ""
    apsw.Connection(str(settings.database)).execute("CREATE TRIGGER t AFTER INSERT ON sessions BEGIN SELECT 1; END")
    assert "unknown trigger `t`" in (with_platform(SOUND, settings).database_trouble or "")
    connection.close()


def test_a_pipe_in_place_of_a_file_is_named_and_not_waited_for(settings: Settings) -> None:
    settings.database.touch()
    os.mkfifo(settings.database.with_name("zcplatform.db-journal"))
    assert "named pipe" in (with_platform(SOUND, settings).database_trouble or "")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, ()),
        ({"is_late": True, "error_code": "x", "error": "y"}, ("`mail` is late",)),
        ({"error_code": "mail.unreachable", "error": "no server"}, ("`mail` fails: no server",)),
    ],
)
def test_loops_in_trouble_are_named(settings: Settings, changes: dict[str, object], shown: tuple[str, ...]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(settings.worker_socket))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(json.dumps({"loops": [{**LOOP, **changes}]}).encode() + b"\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert with_platform(SOUND, settings).loop_troubles == shown
        thread.join()
