"""Environment variables that override the demo agent's file: those that pin a plan's limits, and no others."""

import json
import re
from collections.abc import Mapping
from typing import Any

OVERRIDDEN = frozenset(
    f"ZEROCLAW_{name}"
    for name in [
        "gateway__host",
        "gateway__port",
        "gateway__require_pairing",
        "gateway__allow_remote_admin",
        "gateway__trust_forwarded_headers",
        "gateway__check_updates",
        "gateway__allow_self_upgrade",
        "tunnel__tunnel_provider",
        "wss__enabled",
        "enroll__enabled",
        "relay__enabled",
        "nodes__enabled",
        "a2a__server__enabled",
        "plugins__enabled",
        "secrets__encrypt",
        "cost__enabled",
        "cost__daily_limit_usd",
        "cost__monthly_limit_usd",
        "risk_profiles__tenant__level",
        "risk_profiles__tenant__workspace_only",
        "risk_profiles__tenant__block_high_risk_commands",
        "risk_profiles__tenant__excluded_tools",
        "runtime_profiles__tenant__max_actions_per_hour",
        "agents__main__risk_profile",
        "agents__main__runtime_profile",
    ]
)
"""The variables that pin a policy. The real agent knows many more and stops at an unknown one; the demo agent stops at every other one."""


class CannotStart(Exception):
    """The program must not start like this. The text is printed on standard error, and the exit code is 1."""


def overridden(document: dict[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Apply variables such as `ZEROCLAW_gateway__port=1`, which take precedence over the file. Like the real agent, stops at an unknown name."""
    changed: dict[str, Any] = json.loads(json.dumps(document, default=str))
    for name, value in environment.items():
        if not re.fullmatch(r"ZEROCLAW_[a-z0-9_]+", name):
            continue
        section, *path = name.removeprefix("ZEROCLAW_").split("__")
        if name not in OVERRIDDEN:
            raise CannotStart(f"{name} did not resolve to a schema path: the demo agent takes no such override")
        inside = changed.setdefault(section, {})
        for part in path[:-1]:
            inside = inside.setdefault(part, {})
        try:
            inside[path[-1]] = json.loads(value)
        except ValueError:
            inside[path[-1]] = value
    return changed
