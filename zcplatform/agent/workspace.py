"""Render the workspace files that come from the settings: instructions, tasks, procedures."""

from typing import Any

import tomli_w

from zcplatform.agent.agent_settings import AgentSettings, Channel
from zcplatform.agent.agent_state import group_of
from zcplatform.agent.policy import AGENT

_WORKSPACE = f"agents/{AGENT}/workspace"


def workspace_files(settings: AgentSettings) -> dict[str, str]:
    """Return file contents by path in the workspace. The empty text means that the file is to be removed."""
    tasks = "".join(f"- {task}\n" for task in settings.heartbeat.tasks)
    files = {
        f"{_WORKSPACE}/AGENTS.md": settings.instructions,
        f"{_WORKSPACE}/HEARTBEAT.md": f"# Tasks\n\n{tasks}" if tasks else "",
    }
    for name, channel in settings.channels.items():
        kind, _, alias = name.partition(".")
        if kind == "mqtt":
            files[f"shared/sops/mqtt_{alias}/SOP.toml"] = tomli_w.dumps(_procedure(name, channel)) if channel.enabled else ""
    return files


def _procedure(name: str, channel: Channel) -> dict[str, Any]:
    """Return the procedure that passes each MQTT message to the agent.

    MQTT starts procedures, not conversations, and the default mode would wait for an approval forever.
    """
    topics = channel.options.get("topics") or ("#",)
    return {
        "sop": {
            "name": group_of(name),
            "description": f"Answer what arrives on {name}",
            "version": "1.0.0",
            "execution_mode": "auto",
            "agent": AGENT,
            "max_concurrent": 4,
        },
        "triggers": [{"type": "mqtt", "topic": topic} for topic in (topics if isinstance(topics, tuple) else ())],
        "steps": [{"number": 1, "title": "Answer", "body": "Do what the message asks for.", "kind": "execute"}],
    }
