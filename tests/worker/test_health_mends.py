"""The health loop finds that the platform's own token is gone from an agent's file, and gives it back: not all the time, and nobody has to ask."""

from datetime import timedelta

import pytest

from tests.fakes.agents import HonestAgent
from tests.worker.agent_calls_rig import BEARER, Make, Rig
from zcplatform import clock
from zcplatform.agent.sealed import token_hash
from zcplatform.core.backoff import CALM_S
from zcplatform.store import tenants
from zcplatform.worker.health import HealthLoop


def healthy_for(rig: Rig, seconds: float) -> None:
    row, since = rig.row, clock.text(clock.now() - timedelta(seconds=seconds))
    rig.deps.database.write_now(lambda tx: tenants.record_seen(tx, row.id, row.generation, since, {"seen_healthy_at": since}))


async def look(rig: Rig, loop: HealthLoop) -> None:
    await loop._look(rig.row, await rig.deps.place(rig.snapshot).agent(rig.snapshot.ref))


@pytest.mark.parametrize(("seconds", "mended"), [(CALM_S + 60, True), (5, False)])
async def test_a_token_that_is_gone_is_given_back_to_an_agent_that_was_calm(make: Make, seconds: float, mended: bool) -> None:
    async with HonestAgent().running() as port:
        rig = make(port)
        loop = HealthLoop(rig.deps, 1, rig.woken.append)
        rig.file(BEARER, "zc_phone")
        healthy_for(rig, seconds)
        await look(rig, loop)
        assert rig.woken == []
        rig.file("zc_phone")
        await look(rig, loop)
        await look(rig, loop)
    assert rig.woken == ([rig.tenant.id] if mended else [])
    assert rig.actions().count("system:worker agent.repair_token") == int(mended)
    assert rig.secret("paired") == [token_hash("zc_phone")], "the people stay paired"


async def test_one_that_was_restless_is_mended_later(make: Make) -> None:
    """It is not forgotten because its file was looked at already."""
    async with HonestAgent().running() as port:
        rig = make(port)
        loop = HealthLoop(rig.deps, 1, rig.woken.append)
        rig.file("zc_phone")
        healthy_for(rig, 5)
        await look(rig, loop)
        healthy_for(rig, CALM_S + 60)
        await look(rig, loop)
    assert rig.woken == [rig.tenant.id]
