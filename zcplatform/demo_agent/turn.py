"""One turn of a conversation: sends the message to the agent's provider and updates the counters."""

import time

from zcplatform.demo_agent import model
from zcplatform.demo_agent.config import ProviderEntry
from zcplatform.demo_agent.metrics import Metrics


async def run(metrics: Metrics, provider: ProviderEntry, message: str) -> model.Answer:
    """Raises model.ModelFailed."""
    metrics.started(provider.name, provider.model)
    began = time.monotonic()
    try:
        answer = await model.ask(provider, message)
    except model.ModelFailed:
        metrics.failed(provider.name, provider.model, time.monotonic() - began)
        raise
    metrics.answered(provider.name, provider.model, answer.tokens, time.monotonic() - began)
    return answer
