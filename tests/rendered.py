"""An agent's file as the platform renders it, for one provider: for tests and measurements that need no more."""

from collections.abc import Callable

from zcplatform.agent.agent_settings import parse
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.policy import Policy
from zcplatform.agent.provider_input import ProviderWithKey
from zcplatform.agent.rendering import render


def rendered(provider: ProviderWithKey | None, tokens: tuple[str, ...], seal: Callable[[str], str]) -> str:
    """`tokens` are hashes of paired devices."""
    if provider is None:
        return render(parse({}), {}, Policy(), AgentState(tokens), seal)
    entry = {"family": provider.family, "model": provider.model} | ({"base_url": provider.base_url} if provider.base_url else {})
    secrets = {"providers.main.api_key": provider.api_key} if provider.api_key else {}
    return render(parse({"providers": {"main": entry}}), secrets, Policy(), AgentState(tokens), seal)
