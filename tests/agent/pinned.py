"""A paired user tries to loosen what the plan pins, through the API of the agent's own dashboard, and restarts it.

usage: python -m tests.agent.pinned AGENT      in a network of its own (scripts/test-agent makes one)
The same is tried without the pins: an attempt that fails by itself would prove nothing.
"""

import json
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.agent import matrix
from zcplatform.agent.agent_settings import parse
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.policy import Policy, environment
from zcplatform.agent.rendering import render
from zcplatform.agent.sealed import seal, token_hash

PLAN = Policy(most_level="supervised", most_actions_per_hour=5, daily_usd=1.0, monthly_usd=2.0)
LOOSER: Mapping[str, Any] = {
    "gateway.require_pairing": False,
    "gateway.allow_remote_admin": True,
    "cost.enabled": False,
    "cost.daily_limit_usd": 1_000_000.0,
    "cost.monthly_limit_usd": 1_000_000.0,
    "risk_profiles.tenant.level": "full",
    "risk_profiles.tenant.workspace_only": False,
    "risk_profiles.tenant.block_high_risk_commands": False,
    "runtime_profiles.tenant.max_actions_per_hour": 1_000_000,
    "plugins.enabled": True,
    "nodes.enabled": True,
    "a2a.server.enabled": True,
}


def main(agent: str) -> int:
    settings = parse({"providers": {"main": {"family": "custom", "model": "m", "base_url": "http://127.0.0.1:9/v1"}}})
    here = {"ZEROCLAW_gateway__host": "127.0.0.1"}
    with tempfile.TemporaryDirectory(prefix="zcp-pinned-") as work:
        text = render(settings, {}, PLAN, AgentState((token_hash(matrix.TOKEN),)), lambda value: seal(matrix.KEY, value))
        pinned = _after(agent, Path(work) / "pinned", text, environment(settings, PLAN) | here)
        free = _after(agent, Path(work) / "free", text, here)
    loosened = [path for path, value in LOOSER.items() if pinned.get(path) == _said(value)]
    harmless = [path for path, value in LOOSER.items() if free.get(path) != _said(value)]
    for path in LOOSER:
        print(f"{path:<50} pinned: {pinned.get(path):<12} not pinned: {free.get(path)}")
    print(f"pinned: {len(LOOSER) - len(loosened)} of {len(LOOSER)} hold; {len(LOOSER) - len(harmless)} can be loosened without the pins")
    return 1 if loosened or harmless else 0


def _after(agent: str, home: Path, text: str, variables: Mapping[str, str]) -> dict[str, str]:
    """What holds after the attempt and a restart."""
    matrix._prepare(home, text)
    with matrix._daemon(agent, home, variables) as trouble:
        assert not trouble, trouble
        for path, value in LOOSER.items():
            _put(path, value)
    with matrix._daemon(agent, home, variables) as trouble:
        assert not trouble, trouble
        return {path: _said(_get(path)) for path in LOOSER}


def _put(path: str, value: object) -> None:
    headers = {"Authorization": f"Bearer {matrix.TOKEN}", "Content-Type": "application/json"}
    body = json.dumps({"path": path, "value": value}).encode()
    request = urllib.request.Request("http://127.0.0.1:42617/api/config/prop", body, headers, method="PUT")
    try:
        urllib.request.urlopen(request, timeout=20).close()
    except urllib.error.HTTPError as error:
        print(f"{path}: refused with {error.code} {error.read(200).decode(errors='replace')}")


def _get(path: str) -> object:
    return matrix._get(f"/api/config/prop?path={path}").get("value")


def _said(value: object) -> str:
    """Values come back as text or typed; 1000000 and 1000000.0 are the same."""
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return f"{float(str(value)):g}"
    except ValueError:
        return str(value)


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
