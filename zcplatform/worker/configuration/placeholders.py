"""Render a tenant's configuration without its secrets: with sealed placeholders for a check, or with marks for a comparison."""

from typing import Any

from zcplatform.agent import drift, rendering, sealed
from zcplatform.agent.agent_state import AgentState
from zcplatform.agent.secret_slots import secret_slots
from zcplatform.core.secret_names import row_of
from zcplatform.store import secrets
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot


def placeholders(deps: Deps, snapshot: TenantSnapshot, key: bytes) -> str:
    """Return the file, with placeholders sealed with a separate key."""
    rows = deps.database.read(lambda tx: {(row.kind, row.name) for row in secrets.of_tenant(tx, snapshot.tenant.id)})
    there = frozenset(place.name for place in secret_slots(snapshot.settings) if row_of(place.name) in rows)
    values = rendering.placeholders(snapshot.settings, there)
    kept = AgentState((sealed.token_hash(rendering.PLACEHOLDER),))
    return rendering.render(snapshot.settings, values, snapshot.policy, kept, lambda text: sealed.seal(key, text))


def reference(snapshot: TenantSnapshot) -> dict[str, Any]:
    """Return the document with a mark in place of every secret, and without people whom the agent approved."""
    everywhere = {place.name: rendering.PLACEHOLDER for place in secret_slots(snapshot.settings)}
    return rendering.document(snapshot.settings, everywhere, snapshot.policy, AgentState(), drift.marked)
