"""A plan that is edited binds the agents that have it: what the worker gives them follows the row."""

from dataclasses import replace

import pytest

from tests.worker.agent_calls_rig import ACTOR, AT, KEY, Make
from zcplatform.agent import sealed
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.policy import environment, unpriced
from zcplatform.agent.rendering import document
from zcplatform.ops import plans
from zcplatform.ops.context import Call, Context
from zcplatform.ops.providers import MainProvider
from zcplatform.settings import Settings
from zcplatform.store import tenants
from zcplatform.store.db import Database

PRICES = {"openai/house-model": {"input": 2.0, "output": 8.0, "cached_input": 0.5}}
OTHER = {"custom/echo": {"input": 2.0, "output": 8.0}}


async def test_ceilings_of_an_edited_plan_are_pinned(database: Database, make: Make) -> None:
    rig = make(20_000)
    level, tools = "ZEROCLAW_risk_profiles__tenant__level", "ZEROCLAW_risk_profiles__tenant__excluded_tools"

    def pinned() -> tuple[str, str]:
        found = environment(rig.snapshot.settings, rig.snapshot.policy)
        return found[level], found[tools]

    before, mark = pinned(), rig.snapshot.config_mark
    context = Context(database, rig.deps.settings, b"", b"", lambda _: None)
    database.write_now(
        lambda tx: plans.change(Call(tx, context, ACTOR, AT), rig.tenant.plan, {"most_level": "readonly", "excluded_tools": ["shell"]})
    )
    assert (before, pinned()) == (("supervised", "[]"), ("readonly", '["shell"]'))
    assert rig.snapshot.config_mark != mark, "the file is rendered again, or it would be reported as changed by the agent"


@pytest.mark.parametrize(("plan", "waits"), [("free", False), ("pro", True)])
async def test_a_changed_plan_ends_the_wait_of_its_tenants_and_of_no_other(database: Database, make: Make, plan: str, waits: bool) -> None:
    """F1: what they could not have before, they may be able to have now."""
    rig, later = make(20_000), "2026-01-01T00:05:00.000Z"
    failed = {"failures": 4, "error_code": "host.too_small", "error_detail": "it has 2", "error_hint": "", "next_attempt_at": later}
    database.write_now(lambda tx: tenants.record_seen(tx, rig.tenant.id, rig.row.generation, AT, failed))
    context = Context(database, rig.deps.settings, b"", b"", lambda _: None)
    assert rig.tenant.plan == "free"
    database.write_now(lambda tx: plans.change(Call(tx, context, ACTOR, AT), plan, {"pids": 99}))
    assert (rig.row.next_attempt_at, rig.row.failures) == ((later, 4) if waits else (None, 0))


async def test_the_operator_s_price_binds_a_model_and_renders_it_again(database: Database, make: Make) -> None:
    provider = MainProvider("openai", "house-model", None, "sk-x")
    free = make(20_000, provider)
    priced = replace(free.deps, settings=Settings.model_validate({**free.deps.settings.model_dump(), "model_prices": PRICES}))
    other = replace(free.deps, settings=Settings.model_validate({**free.deps.settings.model_dump(), "model_prices": OTHER}))
    before, same, snapshot = (replace(free, deps=deps).snapshot for deps in (free.deps, other, priced))
    written = document(snapshot.settings, {}, snapshot.policy, AgentState(), lambda value: sealed.seal(KEY, value))
    assert written["cost"]["rates"]["providers"]["models"] == {
        "openai": {"house-model": {"input_per_mtok": 2.0, "output_per_mtok": 8.0, "cached_input_per_mtok": 0.5}}
    }
    assert (unpriced(before.settings, before.policy), unpriced(snapshot.settings, snapshot.policy)) == (("openai/house-model",), ())
    assert before.config_mark == same.config_mark != snapshot.config_mark, "only who uses the model"
