"""Host-only verbs on a real database."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import _environment
from zcplatform.store import audit, tokens
from zcplatform.store.db import Database, connect
from zcplatform.store.migrate import migrate
from zcplatform.vault import keys


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A settings file with a key and an empty database."""
    (tmp_path / "data" / "db").mkdir(parents=True)
    keys.create(tmp_path / "root.key")
    path = tmp_path / "data" / "db" / "zcplatform.db"
    connection = connect(path, query_only=False)
    migrate(connection, path)
    connection.close()
    settings = tmp_path / "settings.toml"
    settings.write_text(f'data_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/root.key"\n')
    settings.chmod(0o600)
    return settings


def _admin(settings: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zcplatform", "--settings", str(settings), "admin", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env=_environment(settings.parent))


def test_a_token_is_shown_once_listed_without_and_revoked(installation: Path) -> None:
    made = _admin(installation, "token", "create", "--name", "ci")
    value = made.stdout.strip()
    assert (made.returncode, value[:4], len(value)) == (0, "zcp_", 47)
    database = Database(installation.parent / "data" / "db" / "zcplatform.db")
    held = b"".join(path.read_bytes() for path in database.path.parent.iterdir())
    assert value.encode() not in held
    listed = json.loads(_admin(installation, "token", "list", "--json").stdout)
    assert [item["name"] for item in listed] == ["ci"]
    assert "hash" not in listed[0]
    assert value not in json.dumps(listed)
    assert _admin(installation, "token", "revoke", listed[0]["id"]).returncode == 0
    assert _admin(installation, "token", "revoke", listed[0]["id"]).returncode == 1
    assert database.read(tokens.everything)[0].revoked_at is not None
    assert database.read(audit.verify) == 2
    database.close()


def test_the_chain_is_verified_offline(installation: Path) -> None:
    for name in ("a", "b", "c"):
        _admin(installation, "token", "create", "--name", name)
    assert json.loads(_admin(installation, "audit", "verify", "--json").stdout) == {"entries": 3}
    connection = connect(installation.parent / "data" / "db" / "zcplatform.db", query_only=False)
    connection.execute("DROP TRIGGER audit_log_no_update; UPDATE audit_log SET actor = 'x' WHERE sequence = 2")
    connection.close()
    broken = _admin(installation, "audit", "verify")
    assert broken.returncode == 1
    assert "entry 2" in broken.stderr


def test_a_wrong_settings_file_is_78_and_names_the_key(installation: Path) -> None:
    installation.write_text("colour = 'red'\n")
    done = _admin(installation, "token", "list")
    assert done.returncode == 78
    assert "`colour`" in done.stderr


def test_a_missing_database_says_what_to_do(installation: Path) -> None:
    (installation.parent / "data" / "db" / "zcplatform.db").unlink()
    done = _admin(installation, "token", "list")
    assert done.returncode == 1
    assert "zcplatform serve" in done.stderr
