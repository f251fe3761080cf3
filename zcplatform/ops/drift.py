"""Edits that an agent's own file holds: looked at, kept as a revision, or discarded."""

import json
from dataclasses import dataclass
from typing import Any

from zcplatform.agent import drift_patch
from zcplatform.core.tenant import Request, Tenant, Wanted
from zcplatform.errors import Conflict
from zcplatform.ops import config, requests
from zcplatform.ops.context import Actor, Context
from zcplatform.store import audit, drifts
from zcplatform.store.db import Tx
from zcplatform.store.drifts import Drift
from zcplatform.store.operations import Operation

Changes = dict[str, list[Any]]


@dataclass(frozen=True)
class Found:
    drift: Drift
    changes: Changes
    """Path → [as rendered, as found]."""
    keepable: frozenset[str]


def get(tx: Tx, tenant: Tenant) -> Found | None:
    """None when there is nothing to decide."""
    drift = drifts.get(tx, tenant.id)
    if drift is None or drift.decided is not None:
        return None
    changes: Changes = json.loads(drift.changes)
    return Found(drift, changes, drift_patch.settings_patch(config.current(tx, tenant), changes)[1])


def keep(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:
    """What the settings have a place for becomes a revision; the rest goes with the file."""
    tenant = requests.require_not_deleting(tx, id_or_slug)
    found = _needed(tx, tenant)
    if not found.keepable:
        raise Conflict(
            "drift.not_keepable",
            f"Nothing of what was changed in the file of `{tenant.slug}` has a place in the settings",
            f"POST /api/tenants/{tenant.slug}/drift/discard",
        )
    patch, _ = drift_patch.settings_patch(config.current(tx, tenant), found.changes)
    _decide(tx, actor, at, tenant, found, "keep")
    return config.patch(tx, context, actor, at, tenant.id, patch, {}, "kept from the agent's own file")


def discard(tx: Tx, context: Context, actor: Actor, at: str, id_or_slug: str) -> tuple[Tenant, Operation | None]:  # noqa: ARG001
    """The file is written anew, which starts a running agent again; one that was written anew already is left alone."""
    tenant = requests.require_not_deleting(tx, id_or_slug)
    if _decide(tx, actor, at, tenant, _needed(tx, tenant), "discard"):
        return requests.record_request(tx, actor, tenant, at, Request.UPDATE, wanted_epoch=tenant.wanted_epoch + 1)
    return tenant, None


def _needed(tx: Tx, tenant: Tenant) -> Found:
    found = get(tx, tenant)
    if found is None:
        raise Conflict(
            "drift.none", f"Nothing was changed in the file of `{tenant.slug}` that is not decided", "GET …/drift shows what was"
        )
    return found


def _decide(tx: Tx, actor: Actor, at: str, tenant: Tenant, found: Found, decided: str) -> bool:
    """True when the file with these edits is the one that is in use: then the decision stays until it is written anew."""
    audit.append(tx, actor.entry(at, f"drift.{decided}", tenant.id, tenant.id, paths=[None, sorted(found.changes)[:40]]))
    if tenant.wanted == Wanted.RUNNING and tenant.seen_config == found.drift.mount:
        drifts.decide(tx, tenant.id, decided)
        return True
    drifts.forget(tx, tenant.id)
    return False
