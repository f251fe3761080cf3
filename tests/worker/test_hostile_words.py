"""What an agent says and writes never costs the platform a tenant, and no secret in it is stored."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worker.agent_calls_rig import AT, BEARER, Make
from zcplatform.errors import StepFailed
from zcplatform.ops.providers import MainProvider
from zcplatform.store import drifts
from zcplatform.store.db import Database
from zcplatform.worker.configuration.readback import keep_saved, read_back
from zcplatform.worker.reconcile.outcome import record_failure, roll_back


class Edge:
    def wake(self) -> None:
        """Nothing listens."""


async def test_a_reason_holds_no_secret_of_the_tenant(database: Database, make: Make, tmp_path: Path) -> None:
    rig = make(20_000, MainProvider("openai", "m", None, "canary-key-7f3a-9b21"))
    rig.deps.database.write_now(lambda tx: rig.deps.secrets.open_boxes(tx, AT))
    nowhere: Any = Edge()
    deps = replace(rig.deps, edge=nowhere)
    words = f"ended: Error: the provider refused canary-key-7f3a-9b21 {BEARER} " + "x" * 480 + "canary-key-7f3a-9b21"
    await record_failure(deps, rig.tenant.id, rig.tenant.generation, StepFailed("agent.exited", words))
    await roll_back(deps, rig.tenant.id, rig.tenant.generation, words)
    database.write_now(lambda tx: tx.execute("UPDATE tenants SET updated_at = updated_at"))
    for path in tmp_path.rglob("zcplatform.db*"):
        content = path.read_bytes()
        assert b"canary-key" not in content
        assert BEARER.encode() not in content


@pytest.mark.parametrize(
    "added",
    ["[extra]\nx = nan", "[extra]\nx = 1e400", "x = 0x" + "f" * 9_000, ".".join("a" * 900) + " = 1", "a = " + "[" * 90 + "]" * 90, "["],
    ids=["nan", "inf", "hex", "dots", "lists", "broken"],
)
async def test_a_hostile_file_blocks_nothing(database: Database, make: Make, added: str) -> None:
    rig = make(20_000)
    rig.file(BEARER, "zc_phone")
    path = rig.deps.settings.config_dir / "shop" / "zeroclaw" / "config.toml"
    path.write_text(f"{added}\n{path.read_text()}")
    assert await keep_saved(rig.deps, rig.snapshot, path.read_bytes())
    await read_back(rig.deps, rig.snapshot)


async def test_what_an_agent_wrote_into_its_file_is_shown_without_the_tenant_s_secrets(database: Database, make: Make) -> None:
    rig = make(20_000, MainProvider("openai", "m", None, "canary-key-7f3a-9b21"))
    rig.deps.database.write_now(lambda tx: rig.deps.secrets.open_boxes(tx, AT))
    rig.file(BEARER)
    path = rig.deps.settings.config_dir / "shop" / "zeroclaw" / "config.toml"
    path.write_text(path.read_text() + '\n[extra]\nnote = "it is canary-key-7f3a-9b21"\n')
    assert await keep_saved(rig.deps, rig.snapshot, path.read_bytes())
    found = database.read(lambda tx: drifts.get(tx, rig.tenant.id))
    assert found is not None
    assert json.loads(found.changes)["extra.note"] == [None, "it is [redacted]"]
