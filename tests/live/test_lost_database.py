"""The database is lost or tampered with: the platform refuses to start and says why, and running agents continue to serve."""

import subprocess
import sys

import apsw
import pytest

from tests.live.engine import Engine
from tests.live.platform import Platform

pytestmark = pytest.mark.live
EX_CONFIG = 78


def _refusal(platform: Platform) -> str:
    """What `serve` prints when it refuses to start."""
    command = ["--settings", str(platform.settings_path)]
    found = subprocess.run(
        [sys.executable, "-I", "-m", "zcplatform", "serve", *command], capture_output=True, text=True, timeout=30, check=False
    )
    assert found.returncode == EX_CONFIG, found.stderr
    assert "Traceback" not in found.stderr
    return " ".join(found.stderr.split())


def _containers(platform: Platform) -> str:
    return platform.docker("ps", "-q", "--filter", f"label=io.zcplatform.instance={platform.settings.instance}")


def test_a_lost_or_changed_database_is_no_new_installation(engine: Engine) -> None:
    made = Platform(engine, "lost")
    try:
        made.start()
        made.make_image()
        made.create_running("shop")
        running = _containers(made)
        assert running
        made.stop_serve()
        database = made.settings.database
        content = database.read_bytes()

        database.write_bytes(b"")
        said = _refusal(made)
        assert "is empty" in said
        assert "a root key" in said
        assert "a container of the instance" in said
        database.unlink()
        assert "does not exist" in _refusal(made)
        assert _containers(made) == running, "nothing was swept"

        database.write_bytes(content)
        connection = apsw.Connection(str(database))
        connection.execute("CREATE TRIGGER t AFTER INSERT ON sessions BEGIN UPDATE users SET is_super_admin = 1; END")
        assert "unknown trigger `t`" in _refusal(made)
        connection.execute("DROP TRIGGER t")
        connection.close()
        made.start_serve()
        assert made.tenant("shop")["state"] == "running"
        assert _containers(made) == running
    finally:
        made.close()
