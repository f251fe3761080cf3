"""A change of the root key, killed at every step; and the other places a root key comes from. The program itself is run, on a real database."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import run_forked
from zcplatform import settings as files
from zcplatform.errors import CannotRun
from zcplatform.ids import new_secret_id, new_tenant_id
from zcplatform.settings import Settings
from zcplatform.store import audit, instance, outbox, secrets
from zcplatform.store.db import Database, Tx
from zcplatform.vault import keys, opening, sealed_mail, sources
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding, seal
from zcplatform.worker import root_key
from zcplatform.worker.secrets import Secrets, binding_of

AT, LATER = "2026-01-01T00:00:00.000Z", "2999-01-01T00:00:00.000Z"
POINTS = ["prepare.before", "prepare.after", "rewrap.before", "rewrap.within", "rewrap.after", "switch.after", "finish.after"]
VALUE = "sk-canary-rotation-51c2"


@pytest.fixture
def installation(tmp_path: Path, make_database: Callable[[Path], None]) -> Path:
    """Settings, key, database; two tenants with a kept secret each, one of them with a box and a message that wait."""
    path = tmp_path / "settings.toml"
    path.write_text(f'data_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/root.key"\n')
    path.chmod(0o600)
    settings = files.load(path)
    make_database(settings.database)
    made = Keys.of(keys.create(settings.key_file))
    database = Database(settings.database)
    database.write_now(lambda tx: _fill(tx, made))
    database.close()
    return path


def _fill(tx: Tx, made: Keys) -> None:
    root_key.put_key_record(tx, made, None)
    for slug in ("first", "other"):
        tenant_id = new_tenant_id()
        tx.execute(
            "INSERT INTO revisions (tenant_id, number, settings, author, created_at) VALUES (?, 1, '{}', 'test', ?)", (tenant_id, AT)
        )
        tx.execute(
            "INSERT INTO tenants (id, slug, name, plan, created_at, updated_at) SELECT ?, ?, ?, name, ?, ? FROM plans LIMIT 1",
            (tenant_id, slug, slug, AT, AT),
        )
        Secrets(made).put(tx, tenant_id, "agent", "main", VALUE, AT)
    row = new_secret_id()
    box = seal(made.seal_public, SecretBinding(tenant_id, "provider", "main", "api.example.com:443", row, 1), VALUE)
    secrets.put(tx, secrets.Secret(row, tenant_id, "provider", "main", "api.example.com:443", 1, box, None, None, AT, AT))
    message = sealed_mail.seal_mail(made.seal_public, "out_1", "code", "ann@example.com", LATER, {"code": "12345678"})
    outbox.put(tx, "out_1", "code", "ann@example.com", message, AT, LATER)  # type: ignore[arg-type]


def _rotate(settings: Path, *arguments: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    failing = {"ZCPLATFORM_FAILPOINT": f"rotate.{failpoint}" if failpoint else ""}
    return run_forked(("--settings", str(settings), "admin", "rotate-key", "--json", *arguments), {**os.environ, **failing})


def _all_is_readable(settings: Settings) -> Keys:
    """Every secret opens with the key that the settings lead to, and with no other; gives the keys."""
    made = root_key.obtain(settings).keys
    database = Database(settings.database)

    def look(tx: Tx) -> None:
        for tenant_id, _ in secrets.data_keys(tx):
            for secret in secrets.of_tenant(tx, tenant_id):
                assert secret.box is None
                assert Secrets(made).get(tx, tenant_id, secret.kind, secret.name) == (secret.host, VALUE)
        (message,) = outbox.waiting(tx)
        where = sealed_mail.binding(message.id, message.kind, message.recipient, message.expires_at)
        assert json.loads(opening.open_box(made.seal_private, where, message.box or b"")) == {"code": "12345678"}
        assert isinstance(audit.verify(tx), int)

    database.read(look)
    database.close()
    return made


@pytest.mark.parametrize("point", POINTS)
def test_a_rotation_that_is_killed_is_finished_by_the_next(installation: Path, point: str) -> None:
    settings = files.load(installation)
    before = settings.key_file.read_bytes()
    old = Keys.of(keys.load(settings.key_file))
    assert _rotate(installation, failpoint=point).returncode == -9
    root_key.obtain(settings)  # as the next start would
    done = _rotate(installation)
    assert done.returncode == 0, done.stderr
    new = _all_is_readable(settings)
    assert settings.key_file.read_bytes() != before
    assert not root_key.next_key_file(settings).exists()
    assert new.check != old.check
    assert new.token_pepper == old.token_pepper, "tokens stay good"
    assert new.signing != old.signing
    log = settings.database.with_name("zcplatform.db-wal")
    assert not log.exists() or log.stat().st_size == 0
    verified = run_forked(("--settings", str(installation), "admin", "audit", "verify"), os.environ)
    assert verified.returncode == 0, verified.stderr


def test_where_nothing_was_ever_started_there_is_nothing_to_change(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(f'data_dir = "{tmp_path}/data"\nkey_file = "{tmp_path}/root.key"\n')
    path.chmod(0o600)
    done = _rotate(path)
    assert done.returncode == os.EX_CONFIG
    assert "There is no database at" in done.stderr
    assert os.listdir(tmp_path) == ["settings.toml"]


def test_the_old_key_opens_nothing_any_more(installation: Path) -> None:
    settings = files.load(installation)
    old = Keys.of(keys.load(settings.key_file))
    database = Database(settings.database)
    before = dict(database.read(secrets.data_keys))
    assert json.loads(_rotate(installation).stdout) == {"tenants": 2, "secrets": 0, "unreadable": 0, "finished_earlier": False}
    for tenant_id, wrapped in database.read(secrets.data_keys):
        with pytest.raises(CannotOpen):
            opening.unwrap(old.wrap, tenant_id, wrapped)
        assert opening.unwrap(_all_is_readable(settings).wrap, tenant_id, wrapped) == opening.unwrap(old.wrap, tenant_id, before[tenant_id])
    database.close()


def test_a_deep_rotation_encrypts_all_again(installation: Path) -> None:
    settings = files.load(installation)
    old = Keys.of(keys.load(settings.key_file))
    database = Database(settings.database)
    before = {tenant_id: opening.unwrap(old.wrap, tenant_id, wrapped) for tenant_id, wrapped in database.read(secrets.data_keys)}
    assert json.loads(_rotate(installation, "--deep").stdout)["secrets"] == 3
    _all_is_readable(settings)
    for tenant_id, data_key in before.items():
        for secret in database.read(lambda tx, tenant_id=tenant_id: secrets.of_tenant(tx, tenant_id)):  # type: ignore[misc]
            with pytest.raises(CannotOpen):
                opening.decrypt(data_key, binding_of(secret), secret.ciphertext or b"")
    database.close()


def test_a_damaged_secret_is_told_and_keeps_no_other_from_the_new_key(installation: Path) -> None:
    settings = files.load(installation)
    database = Database(settings.database)
    database.write_now(lambda tx: tx.execute("UPDATE data_keys SET wrapped = x'0102' WHERE rowid = (SELECT min(rowid) FROM data_keys)"))
    database.close()
    assert json.loads(_rotate(installation).stdout)["unreadable"] == 1


def test_a_wrong_key_changes_nothing(installation: Path) -> None:
    settings = files.load(installation)
    before = settings.database.read_bytes()
    settings.key_file.write_text("ab12" * 16)
    refused = _rotate(installation)
    assert refused.returncode == 78
    assert "is not the key of" in refused.stderr
    assert settings.database.read_bytes() == before
    assert not root_key.next_key_file(settings).exists()


def test_the_anchors_tie_the_new_signer_to_the_old_one(installation: Path) -> None:
    def admin(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_forked(("--settings", str(installation), *arguments), os.environ)

    settings = files.load(installation)
    old = admin("admin", "audit", "key").stdout.strip()
    _rotate(installation)
    _rotate(installation)
    new = admin("admin", "audit", "key").stdout.strip()
    assert old != new
    for named in (old, new):
        found = admin(
            "audit", "verify", "--file", str(settings.database), "--anchors", str(settings.anchor_file), "--public-key", named, "--json"
        )
        assert json.loads(found.stdout)["anchors"] == 4, found.stderr


def test_a_passphrase_opens_and_is_changed(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stretch = sources.Stretch(sources.Stretch.new().salt, 1, 8192)
    path = tmp_path / "passphrase"
    installation.write_text(installation.read_text() + 'key_source = "passphrase"\n')
    settings = files.load(installation)

    def given(*lines: str) -> None:
        path.write_text("\n".join(lines))
        monkeypatch.setenv(sources.DESCRIPTOR, str(os.open(path, os.O_RDONLY)))

    database = Database(settings.database)
    database.write_now(lambda tx: tx.execute("DELETE FROM secrets; DELETE FROM data_keys; DELETE FROM outbox"))
    made = Keys.of(stretch.key(b"correct horse battery"))
    database.write_now(lambda tx: root_key.put_key_record(tx, made, stretch))
    given("correct horse battery")
    assert root_key.obtain(settings).keys.check == made.check
    assert sources.DESCRIPTOR not in os.environ, "nothing that is started later finds it"
    given("wrong horse battery")
    with pytest.raises(CannotRun) as refused:
        root_key.obtain(settings)
    assert refused.value.code == "key.wrong"
    path.write_text("correct horse battery\nanother horse battery\nanother horse battery\n")
    with path.open() as lines:
        command = [sys.executable, "-m", "zcplatform", "--settings", str(installation), "admin", "rotate-key"]
        environment = {**os.environ, sources.DESCRIPTOR: str(lines.fileno())}
        done = subprocess.run(command, pass_fds=[lines.fileno()], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    given("another horse battery")
    assert root_key.obtain(settings).keys.check == database.read(lambda tx: instance.get(tx, "key_check"))
    database.close()


@pytest.mark.parametrize("text_of_row", ["{}", '{"salt": "00"}', '{"salt": "' + "00" * 16 + '", "memory_bytes": 99999999999}', "x"])
def test_a_row_can_not_make_the_worker_take_all_memory(text_of_row: str) -> None:
    with pytest.raises(CannotRun):
        sources.Stretch.parse(text_of_row)


def test_a_credential_is_taken_from_its_folder(installation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = files.load(installation)
    (tmp_path / "credentials").mkdir(mode=0o700)
    shutil.move(settings.key_file, tmp_path / "credentials" / "root.key")
    installation.write_text(installation.read_text() + 'key_source = "credential"\n')
    settings = files.load(installation)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(CannotRun) as refused:
        root_key.obtain(settings)
    assert refused.value.code == "key.credential"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    _all_but_boxes = root_key.obtain(settings)
    assert _all_but_boxes.keys.check
    to = tmp_path / "new.key"
    assert _rotate(installation, "--to", str(to), failpoint="rewrap.after").returncode == -9
    assert _rotate(installation, "--to", str(to)).returncode == 0
    shutil.move(to, tmp_path / "credentials" / "root.key")
    _all_is_readable(settings)
