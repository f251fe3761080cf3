"""Whatever settings and plan are accepted on save can be written into the agent's file, environment and container."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zcplatform.agent.agent_settings import AgentSettings, parse
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.config_file import LONGEST_FILE
from zcplatform.agent.policy import Policy, environment
from zcplatform.agent.rendering import render
from zcplatform.agent.runtime import ENVIRONMENT
from zcplatform.agent.validation import problems, size_problem
from zcplatform.agent.workspace import workspace_files
from zcplatform.errors import BadInput
from zcplatform.ops.plans import BOUNDS
from zcplatform.store.plans import Plan

OPENAI = {"family": "openai", "model": "gpt-5"}
MONEY = st.one_of(st.floats(), st.floats(0, 10), st.integers(-1, 10**9), st.sampled_from([0.123456789012345, 1e-05, 0.01, 1e6, 0.1 + 0.2]))
TEXT = st.text(st.characters(), max_size=30)
TOOL = st.one_of(st.from_regex(r"[A-Za-z0-9_.:-]{1,80}", fullmatch=True), TEXT)
OPTIONS = st.dictionaries(
    st.sampled_from(["max_tokens", "region", "resource", "temperature", "timeout_secs", "wire_api"]), st.one_of(MONEY, TEXT, st.booleans())
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "providers": st.fixed_dictionaries(
            {
                "main": st.fixed_dictionaries(
                    {"family": st.sampled_from(["openai", "bedrock", "custom", "azure"]), "model": TEXT, "options": OPTIONS}
                )
            }
        ),
        "cost": st.fixed_dictionaries({}, optional={"daily_usd": MONEY, "monthly_usd": MONEY}),
        "risk": st.fixed_dictionaries(
            {},
            optional={
                "actions_per_hour": st.integers(-1, 10**10),
                "excluded_tools": st.lists(TOOL, max_size=5),
                "level": st.sampled_from(["readonly", "supervised", "full"]),
            },
        ),
        "instructions": TEXT,
        "memory": st.fixed_dictionaries({}, optional={"conversation_days": st.integers(0, 10**6)}),
        "heartbeat": st.fixed_dictionaries({"enabled": st.booleans(), "tasks": st.lists(TEXT, max_size=3)}),
    },
)
PLANS = st.builds(
    Plan,
    **{name: st.one_of(st.integers(*bounds), st.sampled_from(bounds)) for name, bounds in BOUNDS.items() if name != "dollars_month_micros"},
    name=st.just("free"),
    position=st.just(1),
    dollars_month_micros=st.integers(0, BOUNDS["dollars_month_micros"][1] // 10_000).map(lambda cents: cents * 10_000),
    most_level=st.sampled_from(["readonly", "supervised", "full"]),
    excluded_tools=st.sampled_from(["[]", '["shell"]']),
)


def fits(accepted: AgentSettings, policy: Policy) -> None:
    for name, value in environment(accepted, policy).items():
        assert ENVIRONMENT[name].fullmatch(value), (name, value)
    text = render(accepted, {}, policy, AgentState(), lambda _: "")
    assert tomllib.loads(text)
    assert len(text) <= LONGEST_FILE
    workspace_files(accepted)


@settings(max_examples=300)
@given(sent=SETTINGS, plan=PLANS)
def test_what_is_accepted_can_be_rendered(sent: dict[str, Any], plan: Plan) -> None:
    policy = Policy(**plan.ceilings())
    try:
        parsed = parse(sent)
    except BadInput:
        return
    if not problems(parsed, policy):
        fits(parsed, policy)


@given(usd=st.floats(0, 1_000_000, exclude_min=True), plan=PLANS)
def test_an_amount_that_was_stored_before_is_rendered_all_the_same(usd: float, plan: Plan) -> None:
    """Earlier versions accepted amounts that could not be rendered; their tenants must start."""
    fits(parse({"providers": {"main": OPENAI}, "cost": {"daily_usd": usd, "monthly_usd": usd}}), Policy(**plan.ceilings()))


@pytest.mark.parametrize("micros", [1, 9_999, 10**15, -5])
def test_a_plan_s_amount_that_was_stored_before_is_rendered_all_the_same(micros: int) -> None:
    fits(parse({}), Policy(monthly_usd=micros / 1_000_000, most_actions_per_hour=99_999_999_999))


@pytest.mark.parametrize("usd", [0.123456789012345, 0.00001, 0.001, 5.001])
def test_an_amount_that_is_not_in_cents_is_refused_with_its_path(usd: float) -> None:
    found = problems(parse({"cost": {"daily_usd": usd, "monthly_usd": 5.25}}), Policy())
    assert found == {"cost.daily_usd": "must be an amount in whole cents, at least 0.01"}


def test_settings_whose_file_would_be_too_long_are_refused() -> None:
    few = parse({"providers": {"main": OPENAI}})
    assert size_problem(few, Policy(), {"providers.main.api_key": 200}) == {}
    assert "too long" in size_problem(few, Policy(), {f"providers.p{number}.api_key": 8_000 for number in range(12)})["settings"]


def test_what_an_agent_added_never_makes_its_file_too_long() -> None:
    people = {f"telegram.a{number}": tuple(f"{number}-{one}-" + "x" * 240 for one in range(1_000)) for number in range(20)}
    sent = {"providers": {"main": OPENAI}, "channels": {name: {"peers": ["1"]} for name in people}}
    kept = AgentState(tuple(f"{number:064x}" for number in range(400)), people).bounded()
    assert len(render(parse(sent), {}, Policy(), kept, lambda value: "enc2:" + "00" * 28 + value)) <= LONGEST_FILE
