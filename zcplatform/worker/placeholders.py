"""A tenant's configuration with something else in the place of every secret: to be checked, or to be compared with."""

from typing import Any

from zcplatform.agent import document, drift, sealed
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.store import secrets
from zcplatform.worker.case import Case
from zcplatform.worker.tools import Tools


def placeholders(tools: Tools, case: Case, key: bytes) -> str:
    """The file, its placeholders sealed with a key of their own."""
    rows = tools.database.read(lambda tx: {(row.kind, row.name) for row in secrets.of_tenant(tx, case.tenant.id)})
    there = frozenset(place.name for place in secret_slots(case.settings) if row_of(place.name) in rows)
    values = document.placeholders(case.settings, there)
    kept = AgentState((sealed.token_hash(document.PLACEHOLDER),))
    return document.render(case.settings, values, case.policy, kept, lambda text: sealed.seal(key, text))


def reference(case: Case) -> dict[str, Any]:
    """The document with a mark in the place of every secret there may be, and without anybody the agent let in."""
    everywhere = {place.name: document.PLACEHOLDER for place in secret_slots(case.settings)}
    return document.document(case.settings, everywhere, case.policy, AgentState(), drift.marked)
