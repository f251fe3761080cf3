"""No key reaches a server that it was not saved for: what the file says where the agent would lend one."""

import tomllib
from collections.abc import Mapping
from typing import Any

from zcplatform.agent.agent_settings import AgentSettings, parse
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.policy import Policy
from zcplatform.agent.rendering import render

KEY = "canary-0123456789"


def sealed(value: str) -> str:
    return f"sealed({value})"


def written(chosen: AgentSettings, secrets: Mapping[str, str]) -> dict[str, Any]:
    return tomllib.loads(render(chosen, secrets, Policy(), AgentState(), sealed))


def test_no_key_of_another_provider_is_lent_to_the_embedding_server() -> None:
    """C8: where the agent finds none of its own there, it sends the one of its first provider, whoever runs that server."""
    sent = {
        "main": {"family": "anthropic", "model": "m"},
        "embedding": {"family": "ollama", "model": "e", "base_url": "http://10.0.0.1:11434"},
    }
    chosen = parse({"providers": sent})
    memory = written(chosen, {"providers.main.api_key": KEY})["memory"]
    assert memory["embedding_provider"]
    assert memory["embedding_api_key"] == sealed("none")
    own = written(chosen, {"providers.main.api_key": KEY, "providers.embedding.api_key": "own-key"})["memory"]
    assert own["embedding_api_key"] == sealed("own-key")
