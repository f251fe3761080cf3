"""The limits of a plan, and how they are pinned: as environment variables, which override the agent's file at every load.

A paired person can edit the file through the agent's dashboard, but not the environment of its container. Only variables that every 0.8 knows are
used, and no value is a secret. Changes that cannot be prevented this way (more agents, prices of models) show as drift.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from zcplatform.agent.agent_settings import AgentSettings
from zcplatform.agent.providers import FAMILIES, Price
from zcplatform.agent.runtime import GATEWAY_PORT

LEVELS = ("readonly", "supervised", "full")
UNLIMITED_USD = 1_000_000_000.0
LOWEST_USD = 0.000001
MOST_ACTIONS = 999_999_999
"""Per hour."""
_PLAIN_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")

PROFILE = "tenant"
AGENT = "main"


@dataclass(frozen=True)
class Policy:
    """The limits of a plan. None: no limit."""

    most_level: str = "full"
    excluded_tools: tuple[str, ...] = ()
    most_actions_per_hour: int = 200
    daily_usd: float | None = None
    monthly_usd: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    """The operator's prices by `family/model`, which override those of the catalog."""


def level(settings: AgentSettings, policy: Policy) -> str:
    return min(settings.risk.level, policy.most_level, key=LEVELS.index)


def actions_per_hour(settings: AgentSettings, policy: Policy) -> int:
    most = min(max(policy.most_actions_per_hour, 1), MOST_ACTIONS)
    return min(settings.risk.actions_per_hour or most, most)


def daily_usd(settings: AgentSettings, policy: Policy) -> float:
    return _lowest_usd(settings.cost.daily_usd, policy.daily_usd)


def monthly_usd(settings: AgentSettings, policy: Policy) -> float:
    return _lowest_usd(settings.cost.monthly_usd, policy.monthly_usd)


def excluded_tools(settings: AgentSettings, policy: Policy) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*policy.excluded_tools, *settings.risk.excluded_tools)))


def price(family: str, model: str, policy: Policy) -> Price | None:
    """Return the price of a model. None: no price is known, so the agent counts its tokens but no cost limit applies."""
    found = policy.prices.get(f"{family}/{model}")
    return found or (FAMILIES[family].prices.get(model) if family in FAMILIES else None)


def unpriced(settings: AgentSettings, policy: Policy) -> tuple[str, ...]:
    """Return `family/model` of every model in use that has no price."""
    names = {
        f"{provider.family}/{model}"
        for provider in settings.providers.values()
        for model in (provider.model, *provider.fallback_models)
        if price(provider.family, model, policy) is None
    }
    return tuple(sorted(names))


def environment(settings: AgentSettings, policy: Policy) -> dict[str, str]:
    """Return the environment variables that pin a policy. A test compares their names with `runtime.ENVIRONMENT`."""
    pinned: dict[str, object] = {
        "gateway.host": "0.0.0.0",  # noqa: S104
        "gateway.port": GATEWAY_PORT,
        "gateway.require_pairing": True,
        "gateway.allow_remote_admin": False,
        "gateway.trust_forwarded_headers": True,
        "gateway.check_updates": False,
        "gateway.allow_self_upgrade": False,
        "tunnel.tunnel_provider": "none",
        "wss.enabled": False,
        "enroll.enabled": False,
        "relay.enabled": False,
        "nodes.enabled": False,
        "a2a.server.enabled": False,
        "plugins.enabled": False,
        "secrets.encrypt": True,
        "cost.enabled": True,
        "cost.daily_limit_usd": daily_usd(settings, policy),
        "cost.monthly_limit_usd": monthly_usd(settings, policy),
        f"risk_profiles.{PROFILE}.level": level(settings, policy),
        f"risk_profiles.{PROFILE}.workspace_only": True,
        f"risk_profiles.{PROFILE}.block_high_risk_commands": True,
        f"risk_profiles.{PROFILE}.excluded_tools": excluded_tools(settings, policy),
        f"runtime_profiles.{PROFILE}.max_actions_per_hour": actions_per_hour(settings, policy),
    }
    if "main" in settings.providers:
        pinned[f"agents.{AGENT}.risk_profile"] = PROFILE
        pinned[f"agents.{AGENT}.runtime_profile"] = PROFILE
    variables = {"ZEROCLAW_" + path.replace(".", "__"): _text(value) for path, value in pinned.items()}
    regions = {str(p.options["region"]) for p in settings.providers.values() if p.family == "bedrock" and p.options.get("region")}
    if len(regions) == 1:
        variables["AWS_REGION"] = regions.pop()
    return variables


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case float():
            text = json.dumps(value)
            return text if _PLAIN_NUMBER.fullmatch(text) else f"{value:.6f}"
        case _:
            return json.dumps(value, separators=(",", ":"))


def _lowest_usd(*values: float | None) -> float:
    """Limit a number from a row to what the agent's environment accepts."""
    lowest = min((float(value) for value in values if value is not None), default=UNLIMITED_USD)
    return min(max(lowest, LOWEST_USD), UNLIMITED_USD)
