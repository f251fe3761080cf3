"""The agent's file: for any settings it says exactly what was requested, and nothing else."""

import os
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.agent.cases import Case, everything, example
from zcplatform.agent.agent_settings import AgentSettings, parse, to_json
from zcplatform.agent.agent_state import AgentState, group_of
from zcplatform.agent.channels import Use, types
from zcplatform.agent.fields import Check, Field, Type
from zcplatform.agent.policy import Policy, environment, unpriced
from zcplatform.agent.providers import FAMILIES, Price, Uri
from zcplatform.agent.rendering import document, path_of, placeholders, render
from zcplatform.agent.sealed import token_hash
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.agent.validation import problems
from zcplatform.agent.workspace import workspace_files
from zcplatform.errors import BadInput

HOW_MANY = int(os.environ.get("SETTINGS", "100"))
KEY = bytes(range(32))
HASH = token_hash("zc_" + "ab" * 32)
CANARY = "canary-0123456789"


def sealed(value: str) -> str:
    return f"sealed({value})"


def written(
    chosen: AgentSettings, secrets: Mapping[str, str] | None = None, policy: Policy | None = None, kept: AgentState | None = None
) -> dict[str, Any]:
    return tomllib.loads(render(chosen, secrets or {}, policy or Policy(), kept or AgentState(), sealed))


# What somebody may ask for: names, hostile texts and every option of the catalog.

aliases = st.from_regex(r"[a-z0-9](_?[a-z0-9]){0,12}", fullmatch=True).filter(lambda name: name != "default")
lines = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(lambda text: bool(text.strip())),
    st.sampled_from(['"""', "'''", '"\\n[gateway]', "]] = {", "enc2:00", "${HOME}", "a.b = 1", "# x", "\\u0022", "é\u2028\ufeff😀"]),
)
headers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,10}", fullmatch=True)
urls = st.builds("https://{}.example.com:{}/v1".format, aliases.map(lambda name: name.replace("_", "")), st.integers(1, 65_535))


def option(field: Field) -> st.SearchStrategy[Any]:
    match field.type:
        case Type.YES_NO:
            return st.booleans()
        case Type.WHOLE:
            return st.integers(int(field.least or 0), int(field.most or 100_000))
        case Type.NUMBER:
            return st.floats(field.least or 0, field.most or 100, allow_nan=False)
        case Type.CHOICE:
            return st.sampled_from(field.choices)
        case Type.TEXTS:
            return st.lists(st.sampled_from(field.choices) if field.choices else lines, max_size=3)
        case _:
            return st.just(example(field)) if field.check and field.check is not Check.URL else (urls if field.check else lines)


def options(fields: Mapping[str, Field]) -> st.SearchStrategy[dict[str, Any]]:
    free = {name: option(field) for name, field in fields.items() if field.is_open}
    needed = {name: strategy for name, strategy in free.items() if fields[name].needed}
    return st.fixed_dictionaries(needed, optional={name: strategy for name, strategy in free.items() if name not in needed})


@st.composite
def providers(draw: st.DrawFn) -> dict[str, Any]:
    family = FAMILIES[draw(st.sampled_from(sorted(FAMILIES)))]
    asked: dict[str, Any] = {"family": family.name, "model": draw(lines), "auth": draw(st.sampled_from([one.value for one in family.auth]))}
    if family.uri is Uri.NEEDED or (family.uri is Uri.HONOURED and draw(st.booleans())):
        asked["base_url"] = draw(urls)
    if draw(st.booleans()):
        asked |= {"temperature": draw(st.floats(0, 2)), "headers": draw(st.lists(headers, max_size=2, unique_by=str.lower))}
        asked["options"] = draw(options(family.fields))
        asked["fallback_models"] = draw(st.lists(lines, max_size=2))
    else:
        asked["options"] = {name: example(field) for name, field in family.fields.items() if field.needed and field.is_open}
    return asked


TALKING = sorted(name for name, kind in types().items() if kind.use is not Use.NONE)


@st.composite
def channels(draw: st.DrawFn) -> dict[str, Any]:
    found = {}
    for kind in (types()[name] for name in draw(st.lists(st.sampled_from(TALKING), max_size=3))):
        has_peers = kind.gate and kind.use is Use.TALK
        asked: dict[str, Any] = {"enabled": draw(st.booleans()), "options": draw(options(kind.fields))}
        if has_peers:
            asked |= {"peers": draw(st.lists(lines, min_size=1, max_size=3)), "ignored": draw(st.lists(lines, max_size=1))}
        found[f"{kind.name}.{draw(aliases)}"] = asked
    return found


@st.composite
def asked_for(draw: st.DrawFn) -> dict[str, Any]:
    """What somebody may ask for, as JSON; some of it makes no sense, as with people."""
    asked: dict[str, Any] = {"providers": {"main": draw(providers())}, "channels": draw(channels()), "instructions": draw(lines)}
    for alias in draw(st.lists(st.one_of(st.just("cheap"), st.just("embedding"), aliases), max_size=2)):
        asked["providers"].setdefault(alias, draw(providers()))
        asked["providers"]["main"]["fallbacks"] = [alias] if alias != "main" else []
    if draw(st.booleans()):
        asked["mcp"] = {name: {"url": draw(urls), "headers": ["Authorization"]} for name in draw(st.lists(aliases, max_size=2))}
        asked["cron"] = {
            name: {"prompt": draw(lines), "every_s": draw(st.integers(60, 9_999))} for name in draw(st.lists(aliases, max_size=2))
        }
        asked["heartbeat"] = {"enabled": draw(st.booleans()), "tasks": draw(st.lists(lines, max_size=2))}
        asked["risk"] = {"level": draw(st.sampled_from(["readonly", "supervised", "full"])), "actions_per_hour": draw(st.integers(1, 200))}
        asked["cost"] = {"daily_usd": draw(st.floats(0.01, 1000))}
    return asked


FRAME = {
    "schema_version", "tools.optional", "risk_profiles.tenant.level", "risk_profiles.tenant.workspace_only",
    "risk_profiles.tenant.block_high_risk_commands", "runtime_profiles.tenant.max_actions_per_hour", "memory.backend", "memory.auto_save",
    "memory.conversation_retention_days", "cost.enabled", "cost.daily_limit_usd", "cost.monthly_limit_usd", "gateway.host", "gateway.port",
    "gateway.allow_public_bind", "gateway.require_pairing", "gateway.paired_tokens", "gateway.trust_forwarded_headers",
    "gateway.request_timeout_secs", "gateway.check_updates", "gateway.allow_self_upgrade", "observability.backend",
}  # fmt: skip


def keys(table: object, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if isinstance(table, dict):
        return {found for name, value in table.items() for found in keys(value, (*path, name))} or {path}
    if isinstance(table, list) and table and all(isinstance(one, dict) for one in table):
        return {found for place, value in enumerate(table) for found in keys(value, (*path, str(place)))}
    return {path}


def allowed(chosen: AgentSettings, secrets: Mapping[str, str]) -> set[tuple[str, ...]]:
    """Every key that these settings ask for, said a second time and in another way than the renderer does."""
    found = {tuple(name.split(".")) for name in FRAME}
    main = ("agents", "main")
    found |= {(*main, name) for name in ("model_provider", "risk_profile", "runtime_profile")} | {(*main, "memory", "backend")}
    found |= {place.key for place in secret_slots(chosen) if place.name in secrets}
    if chosen.channels:
        found.add((*main, "channels"))
    if "cheap" in chosen.providers:
        found |= {(*main, "summary_provider"), (*main, "classifier_provider")}
    if "embedding" in chosen.providers:
        found |= {("memory", f"embedding_{name}") for name in ("provider", "model", "dimensions", "api_key")}
    if chosen.mcp:
        found |= {("mcp", "enabled"), ("mcp_bundles", "tenant", "servers"), (*main, "mcp_bundles")}
        found |= {("mcp", "servers", str(place), one) for place in range(len(chosen.mcp)) for one in ("name", "transport", "url")}
    if chosen.heartbeat.enabled:
        found |= {("heartbeat", one) for one in ("enabled", "agent", "interval_minutes")}
    return found | _of_providers(chosen) | _of_channels(chosen) | _of_jobs(chosen)


def _of_providers(chosen: AgentSettings) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for alias, provider in chosen.providers.items():
        entry = ("providers", "models", provider.family, alias)
        found |= {(*entry, name) for name in provider.options} | {(*entry, "model")}
        said = {"uri": provider.base_url, "fallback": provider.fallbacks, "fallback_models": provider.fallback_models}
        found |= {(*entry, name) for name, value in said.items() if value}
        found |= {(*entry, "temperature")} if provider.temperature is not None else set()
        found |= {(*entry, "auth_mode")} if provider.auth == "refresh_token" else set()
        found |= {(*entry, "working_directory")} if provider.family == "grok_cli" else set()
        for model in (provider.model, *provider.fallback_models):
            rates = ("cost", "rates", "providers", "models", provider.family, model)
            found |= {(*rates, f"{name}_per_mtok") for name in ("input", "output", "cached_input", "cache_write")}
    return found


def _of_channels(chosen: AgentSettings) -> set[tuple[str, ...]]:
    found = {("sop", "sops_dir")} if any(name.startswith("mqtt.") for name in chosen.channels) else set()
    for name, channel in chosen.channels.items():
        kind, _, alias = name.partition(".")
        entry = ("channels", kind, alias)
        always = [one.name for one in types()[kind].fields.values() if one.fixed is not None or one.preset is not None or one.required]
        ports = {"webhook": ("port", "listen_path"), "line": ("webhook_port",), "lark": ("port",)}.get(kind, ())
        found |= {(*entry, option) for option in (*channel.options, *always, *ports, "enabled")}
        found |= {("peer_groups", group_of(name), one) for one in ("channel", "agents", "external_peers", "ignore")}
    return found


def _of_jobs(chosen: AgentSettings) -> set[tuple[str, ...]]:
    found = {("agents", "main", "cron_jobs")} if chosen.cron else set()
    for name in chosen.cron:
        found |= {("cron", name, one) for one in ("job_type", "enabled", "prompt", "uses_memory")}
        found |= {("cron", name, "schedule", one) for one in ("kind", "every_ms")}
    return found


@given(asked_for())
@settings(max_examples=HOW_MANY, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_file_says_what_was_asked_and_nothing_else(asked: dict[str, Any]) -> None:
    chosen = parse(asked)
    assert parse(to_json(chosen)) == chosen
    secrets = {place.name: f"{CANARY}-{place.name}" for place in secret_slots(chosen)}
    meant = document(chosen, secrets, Policy(), AgentState((HASH,)), sealed)
    text = render(chosen, secrets, Policy(), AgentState((HASH,)), sealed)
    assert tomllib.loads(text) == meant
    assert keys(meant) <= allowed(chosen, secrets)
    assert meant["gateway"]["require_pairing"] is True
    assert meant["gateway"]["paired_tokens"] == [sealed(HASH)]
    for alias, provider in chosen.providers.items():
        entry = meant["providers"]["models"][provider.family][alias]
        assert entry["model"] == provider.model
        assert all(entry[name] == (list(value) if isinstance(value, tuple) else value) for name, value in provider.options.items())
    for name, channel in chosen.channels.items():
        kind, _, alias = name.partition(".")
        entry = meant["channels"][kind][alias]
        assert entry["enabled"] is channel.enabled
        assert all(entry[option] == (list(value) if isinstance(value, tuple) else value) for option, value in channel.options.items())
    plain = {place.name for place in secret_slots(chosen) if place.is_plain}
    assert text.count(CANARY) == text.count(f"sealed({CANARY}") + len(plain)
    assert CANARY not in str(to_json(chosen))
    assert problems(chosen, Policy(), set(secrets)).keys() <= set(problems(chosen, Policy()))


@pytest.mark.parametrize("case", everything(), ids=str)
def test_every_case_of_the_matrix_is_in_order(case: Case) -> None:
    assert problems(case.settings, Policy(), set(case.secrets)) == {}
    assert written(case.settings, case.secrets)["agents"]["main"]["model_provider"].endswith(".main")


def test_without_a_main_provider_nothing_refers_to_an_agent() -> None:
    assert {".".join(path) for path in keys(written(AgentSettings()))} == FRAME


def test_several_channels_of_one_type_have_ports_paths_and_groups_of_their_own() -> None:
    chosen = parse(
        {
            "providers": {"main": {"family": "openai", "model": "m"}},
            "channels": {"webhook.a": {}, "webhook.b": {}, "telegram.x": {"peers": ["1"]}, "telegram.y": {"peers": ["2"]}},
        }
    )
    found = written(chosen)
    assert [found["channels"]["webhook"][alias]["port"] for alias in "ab"] == [8090, 8091]
    assert [path_of(chosen, name) for name in chosen.channels] == ["/channels/webhook/a", "/channels/webhook/b", None, None]
    assert {name: group["external_peers"] for name, group in found["peer_groups"].items()} == {"telegram_x": ["1"], "telegram_y": ["2"]}


@pytest.mark.parametrize(
    ("name", "options", "path"),
    [
        ("whatsapp.shop", {"phone_number_id": "1"}, "/whatsapp/shop"),
        ("whatsapp.shop", {}, None),
        ("linq.main", {}, "/linq/main"),
        ("nextcloud_talk.main", {}, "/nextcloud-talk/main"),
        ("gmail_push.main", {}, "/webhook/gmail"),
        ("lark.main", {}, None),
        ("lark.main", {"receive_mode": "webhook"}, "/channels/lark/main"),
        ("telegram.main", {}, None),
    ],
)
def test_paths_that_the_other_side_calls(name: str, options: dict[str, Any], path: str | None) -> None:
    assert path_of(parse({"channels": {name: {"options": options}}}), name) == path


def test_a_plan_is_in_the_file_and_in_the_environment() -> None:
    plan = Policy(most_level="readonly", excluded_tools=("shell",), most_actions_per_hour=5, daily_usd=1.0, monthly_usd=2.0)
    chosen = parse({"providers": {"main": {"family": "openai", "model": "m"}}, "risk": {"level": "full", "excluded_tools": ["browser"]}})
    found = written(chosen, policy=plan)
    assert found["risk_profiles"]["tenant"]["level"] == "readonly"
    assert found["risk_profiles"]["tenant"]["excluded_tools"] == ["shell", "browser"]
    assert found["runtime_profiles"]["tenant"]["max_actions_per_hour"] == 5
    assert (found["cost"]["daily_limit_usd"], found["cost"]["monthly_limit_usd"]) == (1.0, 2.0)
    pinned = environment(chosen, plan)
    assert pinned["ZEROCLAW_risk_profiles__tenant__level"] == "readonly"
    assert pinned["ZEROCLAW_cost__daily_limit_usd"] == "1.0"
    assert pinned["ZEROCLAW_gateway__require_pairing"] == "true"


def test_prices_bind_the_agents_own_limits_and_what_has_none_is_told() -> None:
    chosen = parse({"providers": {"main": {"family": "openai", "model": "gpt-5", "fallback_models": ["secret-model"]}}})
    assert unpriced(chosen, Policy()) == ("openai/secret-model",)
    plan = Policy(prices={"openai/secret-model": Price(1.0, 2.0), "openai/gpt-5": Price(9.0, 9.0)})
    assert unpriced(chosen, plan) == ()
    rates = written(chosen, policy=plan)["cost"]["rates"]["providers"]["models"]["openai"]
    assert rates == {
        "gpt-5": {"input_per_mtok": 9.0, "output_per_mtok": 9.0},
        "secret-model": {"input_per_mtok": 1.0, "output_per_mtok": 2.0},
    }


def test_placeholders_stand_for_secrets_that_are_there() -> None:
    chosen = parse(
        {
            "providers": {"main": {"family": "glm", "model": "m"}},
            "channels": {"gmail_push.main": {"peers": ["a@b.c"], "options": {"topic": "t"}}},
        }
    )
    stored = frozenset({"providers.main.api_key", "channels.gmail_push.main.webhook_secret", "channels.telegram.gone.bot_token"})
    assert set(placeholders(chosen, stored)) == {"providers.main.api_key", "channels.gmail_push.main.webhook_secret"}


def test_a_secret_the_agent_does_not_open_is_written_in_clear_and_no_other() -> None:
    chosen = parse(
        {
            "providers": {"main": {"family": "openai", "model": "m"}},
            "channels": {"gmail_push.main": {"peers": ["a@b.c"], "options": {"topic": "t"}}},
        }
    )
    entry = written(chosen, {place.name: "value" for place in secret_slots(chosen)})["channels"]["gmail_push"]["main"]
    assert entry["webhook_secret"] == "value"
    assert entry["oauth_token"] == sealed("value")


def test_files_beside_the_configuration() -> None:
    chosen = parse(
        {
            "providers": {"main": {"family": "openai", "model": "m"}},
            "instructions": "Be kind.\n",
            "heartbeat": {"enabled": True, "tasks": ["look at the mail", "x"]},
            "channels": {"mqtt.hall": {"options": {"broker_url": "mqtt://h", "client_id": "c", "topics": ["ask/#"]}}},
        }
    )
    files = workspace_files(chosen)
    assert files["agents/main/workspace/AGENTS.md"] == "Be kind.\n"
    assert files["agents/main/workspace/HEARTBEAT.md"] == "# Tasks\n\n- look at the mail\n- x\n"
    procedure = tomllib.loads(files["shared/sops/mqtt_hall/SOP.toml"])
    assert procedure["sop"]["execution_mode"] == "auto"
    assert procedure["triggers"] == [{"type": "mqtt", "topic": "ask/#"}]
    assert set(workspace_files(AgentSettings()).values()) == {""}


@pytest.mark.parametrize("token", ["", "x", HASH.upper(), HASH + "0", HASH + "\n"])
def test_only_hashes_are_rendered_as_tokens(token: str) -> None:
    with pytest.raises(BadInput):
        written(AgentSettings(), kept=AgentState((token,)))
