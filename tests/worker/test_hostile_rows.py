"""What a taken-over web process may write into rows, and what loading a snapshot makes of it: an error on that tenant, nothing worse."""

import secrets as random
from pathlib import Path

import apsw
import pytest

from zcplatform import clock
from zcplatform.core.tenant import Tenant
from zcplatform.errors import StepFailed
from zcplatform.ids import TenantId
from zcplatform.ops import tenants as asking
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Context
from zcplatform.ops.tenants import Changes
from zcplatform.settings import Settings
from zcplatform.store import secrets, tenants
from zcplatform.store.db import Database, Tx
from zcplatform.vault.keys import Keys
from zcplatform.vault.opening import CannotOpen
from zcplatform.vault.sealing import SecretBinding, seal
from zcplatform.worker.reconcile.snapshot import load
from zcplatform.worker.secrets import Secrets

AT = "2026-01-01T00:00:00.000Z"
ACTOR = Actor(id="tok_a", kind=ActorKind.TOKEN, name="tests", bearer=Bearer(), is_super_admin=True)
KEYS = Keys.of(random.token_bytes(32))


def _tenant(database: Database, slug: str = "shop") -> Tenant:
    context = Context(database, Settings(), KEYS.seal_public, KEYS.code_mac, lambda _: None)
    return database.write_now(lambda tx: asking.create(Call(tx, context, ACTOR, AT), slug, Changes()))


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE revisions SET settings = '[]'",
        'UPDATE revisions SET settings = \'{"provider": "x"}\'',
        'UPDATE revisions SET settings = \'{"provider": {"family": 1, "model": [], "base_url": {}}}\'',
        "UPDATE tenants SET slug = 'admin'",
        "UPDATE tenants SET slug = 'a--b-'",
        "PRAGMA foreign_keys = OFF; UPDATE tenants SET plan = 'nope'",
        (
            "UPDATE tenants SET wanted = 'running'; INSERT INTO allocations (kind, number, tenant_id) VALUES ('port', 22, (SELECT id FROM tenants)),"
            " ('uid', 0, (SELECT id FROM tenants)), ('subnet', 0, (SELECT id FROM tenants))"
        ),
        (
            "UPDATE tenants SET wanted = 'running'; INSERT INTO allocations (kind, number, tenant_id) VALUES ('port', 20000, (SELECT id FROM tenants)),"
            " ('uid', 700000, (SELECT id FROM tenants)), ('subnet', 8192, (SELECT id FROM tenants))"
        ),
    ],
)
def test_a_row_that_no_request_could_write_is_told_on_its_tenant(database: Database, sql: str) -> None:
    tenant = _tenant(database)
    taken_over = apsw.Connection(str(database.path))
    taken_over.execute(sql)
    taken_over.close()
    with pytest.raises(StepFailed) as failed:
        _describe(database, tenant)
    assert failed.value.code == "tenant.invalid"


def _describe(database: Database, tenant: Tenant) -> None:
    """Load it, and use what a start would use."""
    snapshot = database.read(lambda tx: load(tx, Settings(), tenant.id))
    assert snapshot is not None
    assert snapshot.config_mark


@pytest.mark.parametrize("wanted", ["stopped", "absent"])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE revisions SET settings = '[]'",
        "PRAGMA foreign_keys = OFF; UPDATE tenants SET plan = 'nope'",
        "PRAGMA foreign_keys = OFF; UPDATE tenants SET image_id = 'img_nope'",
        "UPDATE plans SET actions_per_hour = 99999999999",
        "DELETE FROM revisions",
    ],
)
def test_no_row_prevents_stopping_or_deleting(database: Database, sql: str, wanted: str) -> None:
    """A1: what runs is stopped and removed by id and slug alone."""
    tenant = _tenant(database)
    taken_over = apsw.Connection(str(database.path))
    taken_over.execute("PRAGMA foreign_keys = OFF")
    taken_over.execute(f"UPDATE tenants SET wanted = '{wanted}'; {sql}")
    taken_over.close()
    snapshot = database.read(lambda tx: load(tx, Settings(), tenant.id))
    assert snapshot is not None
    assert (snapshot.ref.id, snapshot.ref.slug) == (tenant.id, tenant.slug)


def test_one_damaged_secret_does_not_keep_the_others(database: Database) -> None:
    first, second = _tenant(database, "first"), _tenant(database, "second")
    vault = Secrets(KEYS)
    for tenant in (first, second):
        place = SecretBinding(tenant.id, "provider", "main", "api.example.com:443", f"sec_{tenant.slug}", 1)
        row = secrets.Secret(
            place.row, tenant.id, "provider", "main", place.host, 1, seal(KEYS.seal_public, place, "sk"), None, None, AT, AT
        )  # type: ignore[arg-type]
        database.write_now(lambda tx, row=row: secrets.put(tx, row))  # type: ignore[misc]
    database.write_now(lambda tx: secrets.put_data_key(tx, first.id, b"damaged", AT))
    database.write_now(lambda tx: vault.open_boxes(tx, AT))
    assert database.read(lambda tx: vault.get(tx, second.id, "provider", "main")) == ("api.example.com:443", "sk")
    refused = database.read(lambda tx: secrets.get(tx, first.id, "provider", "main"))
    assert refused is not None
    assert (refused.ciphertext, refused.box) == (None, None)
    assert refused.error


def test_a_planted_box_for_a_secret_of_ours_is_refused(database: Database) -> None:
    """The platform's own bearer for an agent is made by the worker; a box for it can only come from a web process that was taken over."""
    tenant = _tenant(database)
    place = SecretBinding(tenant.id, "agent", "bearer", "", "sec_x", 1)
    row = secrets.Secret(place.row, tenant.id, "agent", "bearer", "", 1, seal(KEYS.seal_public, place, "zc_evil"), None, None, AT, AT)  # type: ignore[arg-type]
    database.write_now(lambda tx: secrets.put(tx, row))
    vault = Secrets(KEYS)
    database.write_now(lambda tx: vault.open_boxes(tx, AT))
    assert database.read(lambda tx: vault.get(tx, tenant.id, "agent", "bearer")) is None


def test_a_ciphertext_moved_to_another_row_does_not_open(database: Database) -> None:
    first, second = _tenant(database, "first"), _tenant(database, "second")
    vault = Secrets(KEYS)

    def move(tx: Tx) -> None:
        for tenant in (first, second):
            vault.put(tx, tenant.id, "agent", "bearer", f"zc_{tenant.slug}", AT)
        tx.execute(
            "UPDATE secrets SET ciphertext = (SELECT ciphertext FROM secrets WHERE tenant_id = ?) WHERE tenant_id = ?",
            (first.id, second.id),
        )

    database.write_now(move)
    with pytest.raises(CannotOpen):
        database.read(lambda tx: vault.get(tx, second.id, "agent", "bearer"))


def test_a_change_beside_a_stop_under_way_keeps_its_operation(database: Database, tmp_path: Path) -> None:
    """A new generation of a tenant that is not wanted running must not leave the open operation behind for ever."""
    tenant = _tenant(database)
    context = Context(database, Settings(data_dir=tmp_path), KEYS.seal_public, KEYS.code_mac, lambda _: None)
    database.write_now(lambda tx: tx.execute("UPDATE tenants SET wanted = 'running'"))
    database.write_now(lambda tx: asking.stop(Call(tx, context, ACTOR, clock.text(clock.now())), "shop"))
    database.write_now(lambda tx: asking.change(Call(tx, context, ACTOR, clock.text(clock.now())), "shop", Changes(plan="pro")))
    snapshot = database.read(lambda tx: load(tx, Settings(), TenantId(tenant.id)))
    assert snapshot is not None
    assert snapshot.operation is not None


def test_the_record_of_an_older_wish_changes_nothing(database: Database) -> None:
    tenant = _tenant(database)
    assert not database.write_now(lambda tx: tenants.record_seen(tx, tenant.id, tenant.generation + 1, AT, {"seen_container": "running"}))
    row = database.read(lambda tx: tenants.get(tx, tenant.id))
    assert row is not None
    assert row.seen_container == "absent"
