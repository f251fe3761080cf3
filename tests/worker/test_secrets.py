"""Submitted secrets on their way into the vault: what was copied elsewhere is refused and reported; a deleted tenant's are destroyed."""

import random
from dataclasses import replace

import pytest

from zcplatform.ids import TenantId, new_secret_id, new_tenant_id
from zcplatform.store import audit, secrets
from zcplatform.store.db import Database, Tx
from zcplatform.store.secrets import Secret
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding, hint, seal
from zcplatform.worker.secrets import Secrets

AT = "2026-01-01T00:00:00.000Z"
KEYS = Keys.of(random.SystemRandom().randbytes(32))
HOST = "api.example.com:443"


def _tenant(tx: Tx) -> TenantId:
    made = new_tenant_id()
    tx.execute("INSERT INTO revisions (tenant_id, number, settings, author, created_at) VALUES (?, 1, '{}', 'test', ?)", (made, AT))
    tx.execute(
        "INSERT INTO tenants (id, slug, name, plan, created_at, updated_at) SELECT ?, ?, 'x', name, ?, ? FROM plans LIMIT 1",
        (made, f"t{made[-8:].lower()}", AT, AT),
    )
    return made


def _submitted(tx: Tx, tenant_id: TenantId, value: str = "sk-value") -> Secret:
    row = new_secret_id()
    box = seal(KEYS.seal_public, SecretBinding(tenant_id, "provider", "main", HOST, row, 1), value)
    secret = Secret(row, tenant_id, "provider", "main", HOST, 1, box, None, None, AT, AT)
    secrets.put(tx, secret)
    return secret


@pytest.mark.parametrize("field", ["tenant_id", "name", "host", "version", "id"])
def test_a_box_in_another_place_is_refused_and_told(database: Database, field: str) -> None:
    def plant(tx: Tx) -> Secret:
        secret, other = _submitted(tx, _tenant(tx)), _tenant(tx)
        elsewhere = {"tenant_id": other, "name": "cheap", "host": "evil.example.com:443", "version": 2, "id": new_secret_id()}
        secrets.remove(tx, secret.tenant_id, secret.kind, secret.name)
        planted = replace(secret, **{field: elsewhere[field]})
        secrets.put(tx, planted)
        return planted

    planted = database.write_now(plant)
    database.write_now(lambda tx: Secrets(KEYS).open_boxes(tx, AT))
    row = database.read(lambda tx: secrets.get(tx, planted.tenant_id, planted.kind, planted.name))
    assert row is not None
    assert (row.box, row.ciphertext) == (None, None)
    assert "does not belong to this row" in str(row.error)
    assert [stored.entry.action for stored in database.read(lambda tx: audit.page(tx, audit.Filter(), None, 5))] == ["secret.refuse"]


@pytest.mark.parametrize("field", ["tenant_id", "host", "version", "id"])
def test_a_ciphertext_in_another_place_opens_nothing(database: Database, field: str) -> None:
    def fill(tx: Tx) -> tuple[Secret, TenantId]:
        secret, other = _submitted(tx, _tenant(tx)), _tenant(tx)
        Secrets(KEYS).put(tx, other, "agent", "own", "x", AT)
        Secrets(KEYS).open_boxes(tx, AT)
        return secret, other

    secret, other = database.write_now(fill)
    assert database.read(lambda tx: Secrets(KEYS).get(tx, secret.tenant_id, "provider", "main")) == (HOST, "sk-value")
    elsewhere = {"tenant_id": other, "host": "evil.example.com:443", "version": 2, "id": new_secret_id()}

    def move(tx: Tx) -> None:
        kept = secrets.get(tx, secret.tenant_id, "provider", "main")
        assert kept is not None
        secrets.remove(tx, secret.tenant_id, "provider", "main")
        secrets.put(tx, replace(kept, **{field: elsewhere[field]}))

    database.write_now(move)
    owner = other if field == "tenant_id" else secret.tenant_id
    with pytest.raises(CannotOpen):
        database.read(lambda tx: Secrets(KEYS).get(tx, owner, "provider", "main"))


def test_an_older_ciphertext_put_back_opens_nothing(database: Database) -> None:
    """S-104: into the row that replaced it. (An older row put back as a whole does open: the database alone cannot show it.)"""

    def replaced(tx: Tx) -> tuple[Secret, Secret]:
        before = _submitted(tx, _tenant(tx), "sk-old")
        Secrets(KEYS).open_boxes(tx, AT)
        old = secrets.get(tx, before.tenant_id, "provider", "main")
        box = seal(KEYS.seal_public, SecretBinding(before.tenant_id, "provider", "main", HOST, before.id, 2), "sk-new")
        secrets.put(tx, replace(before, version=2, box=box))
        Secrets(KEYS).open_boxes(tx, AT)
        new = secrets.get(tx, before.tenant_id, "provider", "main")
        assert old is not None
        assert new is not None
        return old, new

    old, new = database.write_now(replaced)
    assert database.read(lambda tx: Secrets(KEYS).get(tx, new.tenant_id, "provider", "main")) == (HOST, "sk-new")
    database.write_now(lambda tx: secrets.put(tx, replace(new, ciphertext=old.ciphertext)))
    with pytest.raises(CannotOpen):
        database.read(lambda tx: Secrets(KEYS).get(tx, new.tenant_id, "provider", "main"))


def test_a_deleted_tenants_ciphertexts_open_with_no_key_of_now(database: Database) -> None:
    def fill(tx: Tx) -> Secret:
        secret = _submitted(tx, _tenant(tx))
        Secrets(KEYS).open_boxes(tx, AT)
        kept = secrets.get(tx, secret.tenant_id, "provider", "main")
        assert kept is not None
        return kept

    copied = database.write_now(fill)
    database.write_now(lambda tx: secrets.destroy(tx, copied.tenant_id))
    assert database.read(secrets.data_keys) == []
    database.write_now(lambda tx: secrets.put(tx, copied))
    with pytest.raises(CannotOpen):
        database.read(lambda tx: Secrets(KEYS).get(tx, copied.tenant_id, "provider", "main"))
    database.write_now(lambda tx: Secrets(KEYS).put(tx, copied.tenant_id, "agent", "own", "x", AT))
    with pytest.raises(CannotOpen):
        database.read(lambda tx: Secrets(KEYS).get(tx, copied.tenant_id, "provider", "main"))


def test_only_long_secrets_have_a_hint() -> None:
    assert hint("x" * 12 + "abcd") == "abcd"
    assert hint("x" * 11 + "abcd") is None


def test_a_key_leaves_no_trace_in_the_file_when_it_is_replaced(database: Database) -> None:
    def fill(tx: Tx) -> bytes:
        secret = _submitted(tx, _tenant(tx))
        return secret.box or b""

    box = database.write_now(fill)
    database.write_now(lambda tx: Secrets(KEYS).open_boxes(tx, AT))
    database.truncate_log()
    assert box[:32] not in database.path.read_bytes()
