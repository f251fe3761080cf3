"""Host-only verbs on a real database."""

import asyncio
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import run
from tests.live.waiting import wait_until
from zcplatform import clock, ids
from zcplatform import settings as files
from zcplatform.core.anchors import Anchor
from zcplatform.store import audit, instance, signing_keys, tokens, users
from zcplatform.store.db import Database, connect
from zcplatform.vault import keys, sources
from zcplatform.worker.anchors import Anchors, signed
from zcplatform.worker.metrics import Metrics


@pytest.fixture
def installation(tmp_path: Path, make_database: Callable[[Path], None]) -> Path:
    """A settings file with a key and an empty database."""
    make_database(tmp_path / "data" / "db" / "zcplatform.db")
    keys.create(tmp_path / "root.key")
    settings = tmp_path / "settings.toml"
    settings.write_text(f'data_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/root.key"\n')
    settings.chmod(0o600)
    return settings


def _admin(settings: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(settings.parent, "--settings", str(settings), "admin", *arguments)


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


def test_a_saved_token_is_not_printed_and_leads_to_the_local_socket(installation: Path) -> None:
    made = _admin(installation, "token", "create", "--name", "me", "--save")
    saved = installation.parent / ".config" / "zcplatform" / "login.json"
    document = json.loads(saved.read_text())
    (login,) = document["logins"].values()
    assert made.returncode == 0
    assert login["token"] not in made.stdout + made.stderr
    assert login["socket"].endswith("/edge/web.sock")
    assert saved.stat().st_mode & 0o777 == 0o600


def _person(installation: Path, email: str, disabled_at: str | None = None) -> Database:
    database = Database(installation.parent / "data" / "db" / "zcplatform.db")
    row = users.User(ids.new_user_id(), email, "", 0, disabled_at, None, "2026-01-01T00:00:00.000Z")
    database.write_now(lambda tx: users.insert(tx, row))
    return database


def test_a_login_link_is_shown_once_and_audited(installation: Path) -> None:
    database = _person(installation, "ann@example.com")
    made = _admin(installation, "login-link", "Ann@example.com")
    address, _, token = made.stdout.strip().partition("#link=")
    assert (made.returncode, address, len(token)) == (0, "http://panel.localhost/login", 43)
    held = b"".join(path.read_bytes() for path in database.path.parent.iterdir())
    assert token.encode() not in held
    assert database.read(lambda tx: tx.execute("SELECT actor, action FROM audit_log").fetchall()) == [("host:root", "link.create")]
    assert isinstance(database.read(audit.verify), int)
    database.close()


def test_nobody_and_the_disabled_get_no_link(installation: Path) -> None:
    database = _person(installation, "gone@example.com", "2026-01-01T00:00:00.000Z")
    for email in ("nobody@example.com", "gone@example.com", "no address"):
        made = _admin(installation, "login-link", email)
        assert (made.returncode, made.stdout) == (1, "")
    assert database.read(lambda tx: tx.execute("SELECT count(*) FROM login_links").fetchone()) == (0,)
    database.close()


def test_a_signing_key_is_rotated_by_number_only(installation: Path) -> None:
    numbers = [json.loads(_admin(installation, "rotate-signing-key", "--json", *more).stdout)["number"] for more in ((), ("--now",))]
    assert numbers == [1, 2]
    database = Database(installation.parent / "data" / "db" / "zcplatform.db")
    assert database.read(lambda tx: signing_keys.live(tx, clock.text(clock.now()))) == [2]
    database.close()


def test_without_mail_the_mail_test_says_what_to_set(installation: Path) -> None:
    done = _admin(installation, "mail", "test", "ann@example.com")
    assert done.returncode == 1
    assert "mail_host" in done.stderr


def test_the_key_of_another_database_makes_no_token(installation: Path) -> None:
    database = Database(installation.parent / "data" / "db" / "zcplatform.db")
    database.write_now(lambda tx: instance.put(tx, "key_check", "of another key"))
    made = _admin(installation, "token", "create", "--name", "ci")
    assert (made.returncode, made.stdout) == (78, "")
    assert "is not the key of" in made.stderr
    assert database.read(tokens.everything) == []
    database.close()


def test_the_first_person_gets_a_link(installation: Path) -> None:
    made = _admin(installation, "bootstrap", "--email", "Root@example.com", "--json")
    told = json.loads(made.stdout)
    assert (told["email"], told["url"].partition("#link=")[0]) == ("root@example.com", "http://panel.localhost/login")
    assert _admin(installation, "bootstrap", "--email", "root@example.com").returncode == 1


def _anchored(installation: Path, kind: str = "hour") -> None:
    settings = files.load(installation)
    database = Database(settings.database)
    made = keys.Keys.of(keys.load(settings.key_file))
    asyncio.run(Anchors(settings, made, database, Metrics()).write(kind))
    database.close()


def _tamper(path: Path, sql: str) -> None:
    connection = connect(path, query_only=False)
    connection.execute(sql)
    connection.close()


def test_a_copy_is_verified_anywhere_with_anchors_and_the_public_key_alone(installation: Path, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        _admin(installation, "token", "create", "--name", name)
        _anchored(installation)
    public = _admin(installation, "audit", "key").stdout.strip()
    assert json.loads(_admin(installation, "audit", "verify", "--json").stdout) == {"entries": 3, "anchors": 3}
    copies = tmp_path / "away"
    copies.mkdir()
    shutil.copy(installation.parent / "data" / "db" / "zcplatform.db", copies / "copy.db")
    shutil.copy(installation.parent / "data.anchors", copies / "anchors")
    ask = ("audit", "verify", "--file", str(copies / "copy.db"))
    named = ("--anchors", str(copies / "anchors"), "--public-key", public)
    assert run(copies, *ask).returncode == 0
    assert json.loads(run(copies, *ask, *named, "--json").stdout) == {"entries": 3, "anchors": 3}
    assert sorted(path.name for path in copies.iterdir() if path.name[0] != ".") == ["anchors", "copy.db"], "nothing is written next to it"
    assert "--public-key" in run(copies, *ask, "--anchors", str(copies / "anchors")).stderr
    cut = "DROP TRIGGER audit_log_no_delete; DELETE FROM audit_log WHERE sequence = 3; UPDATE sqlite_sequence SET seq = 2 WHERE name = 'audit_log'"
    _tamper(copies / "copy.db", cut)
    assert run(copies, *ask).returncode == 0, "the file alone does not show it"
    found = run(copies, *ask, *named)
    assert (found.returncode, "the log was truncated" in found.stderr) == (1, True)


def test_a_copy_without_its_log_says_how_much_is_missing(installation: Path, tmp_path: Path) -> None:
    """Like `cp` of the file of a running platform: the last writes are in the -wal."""
    _admin(installation, "token", "create", "--name", "a")
    path = installation.parent / "data" / "db" / "zcplatform.db"
    held = connect(path, query_only=True)
    held.execute("SELECT count(*) FROM tokens").fetchall()
    for name in ("b", "c"):
        _admin(installation, "token", "create", "--name", name)
        _anchored(installation)
    public = _admin(installation, "audit", "key").stdout.strip()
    shutil.copy(path, tmp_path / "copy.db")
    anchors = str(installation.parent / "data.anchors")
    held.close()
    ask = ("audit", "verify", "--file", str(tmp_path / "copy.db"))
    alone = run(tmp_path, *ask)
    assert alone.returncode == 0
    assert "missing entries at its end do not show" in alone.stdout
    found = run(tmp_path, *ask, "--anchors", anchors, "--public-key", public)
    assert found.returncode == 1
    assert "the anchors know of 2 entries after 1" in " ".join(found.stderr.split())
    assert ".backup" in found.stderr


@pytest.mark.parametrize("vice", ["edited", "foreign", "cut", "vouched"])
def test_anchors_that_are_not_ours_are_refused(installation: Path, vice: str) -> None:
    _admin(installation, "token", "create", "--name", "a")
    _anchored(installation)
    path = installation.parent / "data.anchors"
    stranger = keys.Keys.of(bytes(range(32)))
    ours = _admin(installation, "audit", "key").stdout.strip()
    if vice == "edited":
        path.write_text(path.read_text().replace('"sequence":1', '"sequence":2'))
    elif vice == "cut":
        path.write_text(path.read_text()[:-40] + "\n")
    else:
        kind, following = ("hour", "") if vice == "foreign" else ("key", ours)
        line = signed(stranger, Anchor(kind, "zc", "2026-01-01T00:00:00.000Z", 1, "00" * 32, stranger.audit_public.hex(), following)).line()
        path.write_text(line + "\n" + path.read_text())
    found = _admin(installation, "audit", "verify")
    assert found.returncode == 1
    assert "anchor" in found.stderr


def test_old_entries_go_behind_a_checkpoint_that_is_signed(installation: Path) -> None:
    for name in ("a", "b", "c"):
        _admin(installation, "token", "create", "--name", name)
    assert "is not a day" in _admin(installation, "audit", "prune", "--before", "soon").stderr
    assert json.loads(_admin(installation, "audit", "prune", "--before", "2020-01-01", "--json").stdout) == {"removed": 0}
    assert json.loads(_admin(installation, "audit", "prune", "--before", "2999-01-01", "--json").stdout) == {"removed": 2}
    assert json.loads(_admin(installation, "audit", "verify", "--json").stdout) == {"entries": 2, "pruned_up_to": 2}
    path = installation.parent / "data" / "db" / "zcplatform.db"
    assert "--public-key" in run(installation.parent, "audit", "verify", "--file", str(path)).stderr
    planted = "INSERT INTO audit_checkpoints SELECT sequence, hash, at, x'00', x'00' FROM audit_log WHERE sequence = 3; DELETE FROM audit_log WHERE sequence = 3"
    _tamper(path, planted)
    found = _admin(installation, "audit", "verify")
    assert found.returncode == 1
    assert "not by `audit prune`" in found.stderr


def test_a_verb_that_holds_the_root_key_leaves_no_core(installation: Path) -> None:
    """S-96: looked at while it waits for the passphrase that would open everything."""
    installation.write_text(installation.read_text() + 'key_source = "passphrase"\n')
    reads, writes = os.pipe()
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    command = [
        "prlimit",
        f"--core={'unlimited' if hard < 0 else hard}",
        sys.executable,
        "-m",
        "zcplatform",
        "--settings",
        str(installation),
    ]
    environment = {**os.environ, sources.DESCRIPTOR: str(reads)}
    process = subprocess.Popen(
        [*command, "admin", "token", "create", "--name", "x"], pass_fds=[reads], env=environment, stderr=subprocess.DEVNULL
    )
    os.close(reads)
    try:
        limits = Path(f"/proc/{process.pid}/limits")
        wait_until(
            lambda: re.search(r"^Max core file size +0 +0 ", limits.read_text(), re.MULTILINE) is not None, 20, "it may write no core"
        )
    finally:
        os.close(writes)
        assert process.wait(20) != 0
