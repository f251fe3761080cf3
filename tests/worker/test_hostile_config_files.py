"""A3: whatever an agent writes into its own file, reading it back prevents nothing: stopping, deleting and un-pairing go on."""

import json

import pytest

from tests.rendered import rendered
from tests.worker.agent_calls_rig import BEARER, KEY, Make
from zcplatform.agent import sealed
from zcplatform.store import drifts
from zcplatform.worker.configuration.readback import forget_paired_devices, keep_saved, read_back

HOSTILE = [
    "[extra]\nx = nan\n",
    "[extra]\nx = [inf, -inf, nan]\n",
    "[extra]\nx = 1e400\n",
    f"[extra]\nx = 0x{'f' * 20_000}\n",
    f"[extra]\nx = 0o{'7' * 20_000}\n",
    f"[extra]\n{'.'.join('a' * 1 for _ in range(20_000))} = 1\n",
    f"x = {'[' * 20_000}{']' * 20_000}\n",
    f"x = {'{a=' * 5_000}1{'}' * 5_000}\n",
    "[extra]\nx = 9999-12-31T23:59:60Z\n",
    '[extra]\n"\\u0000" = "\\ud800"\n',
    "\x00\x01\x02",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_file_prevents_nothing(make: Make, text: str) -> None:
    rig = make(20_000)
    rig.file(BEARER, "zc_phone")
    folder = rig.deps.settings.config_dir / rig.tenant.slug / "zeroclaw"
    content = (rendered(None, (sealed.token_hash(BEARER),), lambda plain: sealed.seal(KEY, plain)) + "\n" + text).encode()
    (folder / "config.toml").write_bytes(content)
    await read_back(rig.deps, rig.snapshot)
    assert await keep_saved(rig.deps, rig.snapshot, content) in (True, False)
    await forget_paired_devices(rig.deps, rig.snapshot)
    assert rig.secret("paired") == []
    drift = rig.deps.database.read(lambda tx: drifts.get(tx, rig.tenant.id))
    assert drift is None or json.loads(drift.changes) is not None


async def test_settings_that_make_no_sense_prevent_no_reading_back(make: Make) -> None:
    """A row may be hostile as well as the file."""
    rig = make(20_000)
    rig.file(BEARER, "zc_phone")
    rig.deps.database.write_now(lambda tx: tx.execute("UPDATE revisions SET settings = '[]'"))
    await read_back(rig.deps, rig.snapshot)
