"""A tenant's revisions: looked at, compared, and gone back to. What was saved is never changed; going back is saving again."""

import json
from typing import Any

from zcplatform.core.differences import Difference, difference
from zcplatform.core.tenant import Tenant
from zcplatform.errors import NotFound
from zcplatform.ops import wishes
from zcplatform.ops.desk import Actor
from zcplatform.store import audit, revisions
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
    return dict(json.loads(revision.settings))


def against(tx: Tx, tenant: Tenant, number: int, other: int | None) -> tuple[int, Difference]:
    """What changed from the other revision (the one before, when none is named) to this one; number 0 is nothing at all."""
    revision = get(tx, tenant, number)
    compared = number - 1 if other is None else other
    before = settings(get(tx, tenant, compared)) if compared else {}
    return compared, difference(before, settings(revision))


def roll_back(tx: Tx, actor: Actor, at: str, id_or_slug: str, number: int, note: str | None) -> tuple[Tenant, Operation | None]:
    """Save the settings of an older revision again, as a new one. Secrets are not part of a revision and stay as they are."""
    tenant = wishes.live(tx, id_or_slug)
    revision = get(tx, tenant, number)
    before = wishes.settings_of(tx, tenant)
    wanted = settings(revision)
    if wanted == before:
        return tenant, None
    new = wishes.revise(tx, actor, tenant, wanted, note or f"back to revision {number}", at)
    audit.append(tx, actor.entry(at, "revision.roll_back", tenant.id, tenant.id, revision=[tenant.revision, new], to=[None, number]))
    return wishes.bring(tx, actor, tenant, at, wanted_revision=new)
