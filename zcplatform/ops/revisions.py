"""Show, compare and restore a tenant's revisions. A revision never changes; to roll back is to save its settings again."""

from collections.abc import Mapping
from typing import Any

from zcplatform import bounded_json
from zcplatform.agent import agent_settings
from zcplatform.core.differences import Difference, difference
from zcplatform.core.tenant import Tenant
from zcplatform.errors import NotFound, Outdated
from zcplatform.ops import config, requests, secrets
from zcplatform.ops.context import Call
from zcplatform.store import revisions
from zcplatform.store.db import Tx
from zcplatform.store.operations import Operation
from zcplatform.store.revisions import Revision


def get(tx: Tx, tenant: Tenant, number: int) -> Revision:
    found = revisions.get(tx, tenant.id, number)
    if found is None:
        raise NotFound(
            "revision.unknown", f"Tenant `{tenant.slug}` has no revision {number}", f"GET /api/tenants/{tenant.slug}/revisions lists them"
        )
    return found


def settings(revision: Revision) -> dict[str, Any]:
    return dict(bounded_json.loads(revision.settings))


def against(tx: Tx, tenant: Tenant, number: int, other: int | None) -> tuple[int, Difference]:
    """What changed from the other revision (by default the one before) to this one. Revision 0 is empty."""
    revision = get(tx, tenant, number)
    compared = number - 1 if other is None else other
    before = settings(get(tx, tenant, compared)) if compared else {}
    return compared, difference(before, settings(revision))


def require_current(call: Call, id_or_slug: str, base: int) -> None:
    """Raises Outdated, with each path that changed since, if the tenant's settings are of another revision than `base`."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    if base == tenant.revision:
        return
    before = revisions.get(call.tx, tenant.id, base)
    now = revisions.get(call.tx, tenant.id, tenant.revision)
    changed = difference(settings(before), settings(now)) if before and now else {}
    raise Outdated(
        "config.changed",
        f"The settings of `{tenant.slug}` are at revision {tenant.revision}; your change starts from revision {base}. Nothing was saved",
        f"look at what changed (GET /api/tenants/{tenant.slug}/revisions/{tenant.revision}/diff?against={base}), then send the change again",
        fields=dict.fromkeys(list(changed)[:20], "changed meanwhile"),
    )


def roll_back(call: Call, id_or_slug: str, number: int, given: Mapping[str, str], note: str | None) -> tuple[Tenant, Operation | None]:
    """Save the settings of an older revision again, as a new one. Everything is checked again: plan, rights and servers may have changed.

    Secrets are not part of a revision and stay as they are; `given` are those that the older settings need and that are missing.
    """
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    wanted = settings(get(call.tx, tenant, number))
    parsed = agent_settings.parse(wanted)
    lost = secrets.bound_elsewhere(call.tx, tenant.id, parsed, secrets.stored(call.tx, tenant.id, parsed).keys() | given.keys())
    if lost:
        raise agent_settings.settings_error(lost)  # needed even if the agent works without a key: at that revision it had one
    changed, operation = config.save(call, tenant, wanted, given, note or f"rolled back to revision {number}")
    if changed.wanted_revision != tenant.wanted_revision:
        changes = {"revision": [tenant.revision, changed.wanted_revision], "to": [None, number]}
        call.record("revision.roll_back", tenant.id, tenant.id, **changes)
    return changed, operation
