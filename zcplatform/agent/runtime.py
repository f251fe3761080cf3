"""How the agent runs: its program, port, directories and the variables that it may be given.

Variables override the agent's file at every load, so they pin what nobody can change from inside the agent. Only the names below, with values
of these forms, are ever passed to an agent; none is a secret.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from zcplatform.core.workload import Program

GATEWAY_PORT = 42617
CONFIG_TARGET = "/zeroclaw-data/.zeroclaw"
WORKSPACE_NAMES = ("data", "agents", "shared", "state")
"""The directories that outlive a container. Each is mounted into the configuration directory under its own name."""
DASHBOARDS = ("web/dist", "../web/dist", "../share/zeroclawlabs/web/dist")
"""Where an installed program keeps the files of its dashboard, relative to the program's folder."""

_FLAGS = (
    "gateway__require_pairing",
    "gateway__allow_remote_admin",
    "gateway__trust_forwarded_headers",
    "gateway__check_updates",
    "gateway__allow_self_upgrade",
    "wss__enabled",
    "enroll__enabled",
    "relay__enabled",
    "nodes__enabled",
    "a2a__server__enabled",
    "plugins__enabled",
    "secrets__encrypt",
    "cost__enabled",
    "risk_profiles__tenant__workspace_only",
    "risk_profiles__tenant__block_high_risk_commands",
)
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")

ENVIRONMENT: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        **{f"ZEROCLAW_{name}": re.compile("true|false") for name in _FLAGS},
        "ZEROCLAW_gateway__host": re.compile(r"0\.0\.0\.0"),
        "ZEROCLAW_gateway__port": re.compile(str(GATEWAY_PORT)),
        "ZEROCLAW_tunnel__tunnel_provider": re.compile("none"),
        "ZEROCLAW_cost__daily_limit_usd": _AMOUNT,
        "ZEROCLAW_cost__monthly_limit_usd": _AMOUNT,
        "ZEROCLAW_risk_profiles__tenant__level": re.compile("readonly|supervised|full"),
        "ZEROCLAW_risk_profiles__tenant__excluded_tools": re.compile(r'\[("[A-Za-z0-9_.:-]{1,80}"(,"[A-Za-z0-9_.:-]{1,80}"){0,399})?\]'),
        "ZEROCLAW_runtime_profiles__tenant__max_actions_per_hour": re.compile("[0-9]{1,9}"),
        "ZEROCLAW_agents__main__risk_profile": re.compile("tenant"),
        "ZEROCLAW_agents__main__runtime_profile": re.compile("tenant"),
        "AWS_REGION": re.compile("[a-z0-9-]{1,40}"),
    }
)

_HOME = ("HOME", "/tmp")  # noqa: S108
_ONE_ARENA = ("MALLOC_ARENA_MAX", "1")
CONSTANTS = (_HOME, ("ZEROCLAW_CONFIG_DIR", CONFIG_TARGET), _ONE_ARENA)
BARE_CONSTANTS = (_HOME, ("ZEROCLAW_CONFIG_DIR", "/tmp/config"), _ONE_ARENA)  # noqa: S108
"""For a program that only reports its version or channels, without a configuration."""

PROGRAM = Program(
    command=("--verbose", "daemon"),
    port=GATEWAY_PORT,
    config_target=CONFIG_TARGET,
    workspace_names=WORKSPACE_NAMES,
    constants=CONSTANTS,
    variables=ENVIRONMENT,
)
