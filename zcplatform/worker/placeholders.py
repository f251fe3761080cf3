"""A tenant's configuration with something else in the place of every secret: to be checked, or to be compared with."""

from dataclasses import replace

from zcplatform.agent import render, sealed
from zcplatform.store import secrets
from zcplatform.worker.case import Case
from zcplatform.worker.tools import Tools


def placeholders(tools: Tools, case: Case) -> render.AgentConfig:
    """The same configuration with something else in the place of every secret."""
    stored = tools.database.read(lambda tx: secrets.get(tx, case.tenant.id, "provider", "main"))
    provider = replace(case.provider, api_key="placeholder") if case.provider is not None and stored is not None else case.provider
    return render.AgentConfig(provider, (sealed.token_hash("placeholder"),))
