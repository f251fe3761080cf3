"""Show the drift of an agent's own file, keep it as a revision, or discard it."""

from dataclasses import dataclass
from typing import Any

from zcplatform import bounded_json
from zcplatform.agent import drift_patch
from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.errors import Conflict
from zcplatform.ops import config, requests
from zcplatform.ops.context import Call
from zcplatform.store import drifts
from zcplatform.store.db import Tx
from zcplatform.store.drifts import Drift
from zcplatform.store.operations import Operation

Changes = dict[str, list[Any]]


@dataclass(frozen=True)
class DriftFound:
    drift: Drift
    changes: Changes
    """Path → [as rendered, as found]."""
    keepable: frozenset[str]


def get(tx: Tx, tenant: Tenant) -> DriftFound | None:
    """None if there is nothing to decide."""
    drift = drifts.get(tx, tenant.id)
    if drift is None or drift.decided is not None:
        return None
    changes: Changes = bounded_json.loads(drift.changes)
    return DriftFound(drift, changes, drift_patch.settings_patch(config.current(tx, tenant), changes)[1])


def keep(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """Save the changes that settings can hold as a revision; the others are lost with the file."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    found = _needed(call.tx, tenant)
    if not found.keepable:
        raise Conflict(
            "drift.not_keepable",
            f"None of the changes in the file of `{tenant.slug}` can be kept as settings",
            f"POST /api/tenants/{tenant.slug}/drift/discard",
        )
    patch, _ = drift_patch.settings_patch(config.current(call.tx, tenant), found.changes)
    _decide(call, tenant, found, "keep")
    return config.patch(call, tenant.id, patch, {}, "kept from the agent's own file")


def discard(call: Call, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """Write the file again, which restarts a running agent. A file that was already written again is left alone."""
    tenant = requests.require_not_deleting(call.tx, id_or_slug)
    if _decide(call, tenant, _needed(call.tx, tenant), "discard"):
        return requests.record_request(call, tenant, Request.UPDATE, wanted_epoch=tenant.wanted_epoch + 1)
    return tenant, None


def _needed(tx: Tx, tenant: Tenant) -> DriftFound:
    found = get(tx, tenant)
    if found is None:
        raise Conflict(
            "drift.none", f"The file of `{tenant.slug}` has no changes to decide about", f"GET /api/tenants/{tenant.slug}/drift shows them"
        )
    return found


def _decide(call: Call, tenant: Tenant, found: DriftFound, decided: str) -> bool:
    """True if the file with these changes is the one in use: then the decision is kept until the file is written again."""
    call.record(f"drift.{decided}", tenant.id, tenant.id, paths=[None, sorted(found.changes)[:40]])
    if tenant.effective_wanted is Wanted.RUNNING and tenant.seen_config == found.drift.mount:
        drifts.decide(call.tx, tenant.id, decided)
        return True
    drifts.forget(call.tx, tenant.id)
    return False
