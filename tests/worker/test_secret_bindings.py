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
