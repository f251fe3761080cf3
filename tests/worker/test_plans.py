"""A plan that is edited binds the agents that have it: what the worker gives them follows the row."""

from tests.worker.talking_rig import ACTOR, AT, Make
from zcplatform.agent.policy import environment
from zcplatform.ops import plans
from zcplatform.store.db import Database


async def test_ceilings_of_an_edited_plan_are_pinned(database: Database, make: Make) -> None:
    rig = make(20_000)
    level, tools = "ZEROCLAW_risk_profiles__tenant__level", "ZEROCLAW_risk_profiles__tenant__excluded_tools"

    def pinned() -> tuple[str, str]:
        found = environment(rig.case.settings, rig.case.policy)
        return found[level], found[tools]

    before = pinned()
    database.write_now(lambda tx: plans.change(tx, ACTOR, AT, rig.tenant.plan, {"most_level": "readonly", "excluded_tools": ["shell"]}))
    assert (before, pinned()) == (("supervised", "[]"), ("readonly", '["shell"]'))
