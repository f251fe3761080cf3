"""An agent's file as the platform renders it, for one provider: for tests and measurements that need no more."""

from collections.abc import Callable

from zcplatform.agent.document import Kept, render
from zcplatform.agent.model import parse
from zcplatform.agent.policy import Policy
from zcplatform.agent.trials import Provider


def rendered(provider: Provider | None, tokens: tuple[str, ...], seal: Callable[[str], str]) -> str:
    """`tokens` are hashes of paired devices."""
    if provider is None:
        return render(parse({}), {}, Policy(), Kept(tokens), seal)
    entry = {"family": provider.family, "model": provider.model} | ({"base_url": provider.uri} if provider.uri else {})
    secrets = {"provider.main.api_key": provider.api_key} if provider.api_key else {}
    return render(parse({"providers": {"main": entry}}), secrets, Policy(), Kept(tokens), seal)
