"""Secrets stored by a version before 0.2, bound to host and port without a scheme, are used as before; none is sent where it was not."""

import json
from dataclasses import replace

import pytest

from tests.worker.agent_calls_rig import AT, Make, Rig
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.ops.providers import MainProvider
from zcplatform.store import secrets as rows
from zcplatform.store.db import Database
from zcplatform.vault import opening
from zcplatform.vault.sealing import seal
from zcplatform.worker import startup
from zcplatform.worker.configuration.writing import _values
from zcplatform.worker.root_key import RootKey
from zcplatform.worker.secret_bindings import rebind
from zcplatform.worker.secrets import binding_of

KEY = "sk-canary-7f3a"


def as_it_was(rig: Rig, host: str) -> None:
    """The row of the main provider's key as the version before wrote it."""

    def write(tx: rows.Tx) -> None:
        rig.deps.secrets.open_boxes(tx, AT)
        row = rows.get(tx, rig.tenant.id, "provider", "main")
        assert row is not None
        old = replace(row, host=host)
        rows.put(tx, replace(old, ciphertext=opening.encrypt(rig.deps.secrets._data_key(tx, rig.tenant.id, AT), binding_of(old), KEY)))

    rig.deps.database.write_now(write)


def read(rig: Rig) -> tuple[str, str] | None:
    return rig.deps.database.read(lambda tx: rig.deps.secrets.get(tx, rig.tenant.id, "provider", "main"))


@pytest.mark.parametrize(
    ("url", "old", "new"),
    [
        ("https://llm.example/v1", "llm.example:443", "https://llm.example"),
        ("http://llm.example:8080/v1", "llm.example:8080", "http://llm.example:8080"),
        ("http://llm.example/v1", "llm.example:80", "http://llm.example"),
    ],
)
async def test_an_old_binding_gets_the_scheme_that_the_settings_in_use_name(
    database: Database, make: Make, url: str, old: str, new: str
) -> None:
    rig = make(20_000, MainProvider("custom", "echo", url, KEY))
    as_it_was(rig, old)
    for _ in range(2):
        database.write_now(lambda tx: rebind(tx, rig.deps.secrets))
        assert read(rig) == (new, KEY)
    slots = {slot.name: slot.binding for slot in secret_slots(rig.snapshot.settings)}
    assert slots == {"providers.main.api_key": new}


@pytest.mark.parametrize("is_boxed", [False, True])
async def test_the_start_of_the_worker_binds_again_what_an_older_version_stored(database: Database, make: Make, is_boxed: bool) -> None:
    """Also what still waited in a box when the older version was stopped."""
    rig = make(20_000, MainProvider("custom", "echo", "https://llm.example/v1", KEY))
    as_it_was(rig, "llm.example:443")
    if is_boxed:
        row = database.read(lambda tx: rows.get(tx, rig.tenant.id, "provider", "main"))
        assert row is not None
        boxed = replace(row, box=seal(rig.keys.seal_public, binding_of(row), KEY), ciphertext=None)
        database.write_now(lambda tx: rows.put(tx, boxed))
    startup.write_first(database, RootKey(rig.keys), 16)
    assert read(rig) == ("https://llm.example", KEY)


async def test_a_key_that_was_saved_for_https_is_not_bound_to_http(database: Database, make: Make) -> None:
    """C3: without a scheme, `http://llm.example:443` had the binding of `https://llm.example`."""
    rig = make(20_000, MainProvider("custom", "echo", "http://llm.example:443/v1", KEY))
    as_it_was(rig, "llm.example:443")
    database.write_now(lambda tx: rebind(tx, rig.deps.secrets))
    assert read(rig) == ("llm.example:443", KEY)


async def test_a_key_of_another_server_stays_where_it_is(database: Database, make: Make) -> None:
    rig = make(20_000, MainProvider("custom", "echo", "https://llm.example/v1", KEY))
    as_it_was(rig, "other.example:443")
    database.write_now(lambda tx: rebind(tx, rig.deps.secrets))
    assert read(rig) == ("other.example:443", KEY)


async def test_rows_that_cannot_be_read_stop_nothing(database: Database, make: Make) -> None:
    rig = make(20_000, MainProvider("custom", "echo", "https://llm.example/v1", KEY))
    as_it_was(rig, "llm.example:443")
    for settings in ("[]", json.dumps({"providers": {"main": 1}}), '{"a":' * 900 + "1" + "}" * 900):
        database.write_now(lambda tx, text=settings: tx.execute("UPDATE revisions SET settings = ?", (text,)))
        database.write_now(lambda tx: rebind(tx, rig.deps.secrets))
    assert read(rig) == ("llm.example:443", KEY)


@pytest.mark.parametrize("url", ["http://llm.example/v1", "https://llm.example:8443/v1", "https://other.example/v1"])
async def test_a_key_is_not_written_for_another_server(database: Database, make: Make, url: str) -> None:
    """C3: also where a row was changed past every check on save."""
    rig = make(20_000, MainProvider("custom", "echo", "https://llm.example/v1", KEY))
    database.write_now(lambda tx: rig.deps.secrets.open_boxes(tx, AT))
    snapshot = rig.snapshot
    assert database.read(lambda tx: _values(rig.deps, tx, snapshot)) == {"providers.main.api_key": KEY}
    database.write_now(lambda tx: tx.execute("UPDATE revisions SET settings = replace(settings, 'https://llm.example/v1', ?)", (url,)))
    changed = rig.snapshot
    assert database.read(lambda tx: _values(rig.deps, tx, changed)) == {}
