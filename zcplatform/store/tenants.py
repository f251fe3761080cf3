"""Tenants: desired state (written by requests) and observed state (written by the worker, guarded by the generation)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform.core.audit import Entry
from zcplatform.core.holds import Hold, HoldKind
from zcplatform.core.roles import Visibility
from zcplatform.core.tenant import Tenant, state
from zcplatform.ids import TenantId
from zcplatform.store import audit, events
from zcplatform.store.db import Tx, columns, require, scalar

SEEN = frozenset(
    {
        "seen_generation",
        "seen_container",
        "seen_config",
        "seen_healthy",
        "seen_healthy_at",
        "seen_upstream",
        "seen_verified",
        "seen_probe_failures",
        "failures",
        "error_code",
        "error_detail",
        "error_hint",
        "next_attempt_at",
        "deleted_at",
        "checked_revision",
        "last_good_revision",
        "rejected_revision",
        "rejected_reason",
        "checked_image_id",
        "last_good_image_id",
        "rejected_image_id",
    }
)
NOT_TRIED: dict[str, object] = dict.fromkeys(
    ("rejected_revision", "rejected_reason", "rejected_image_id", "checked_revision", "checked_image_id")
)
"""Clears the outcome of an image that was rolled back or only checked, when it is requested again."""
WANTED = frozenset(
    {
        "name",
        "plan",
        "image_id",
        "wanted",
        "last_request",
        "wanted_revision",
        "wanted_epoch",
        *NOT_TRIED,
    }
)
_OWN = frozenset({"generation", "updated_at", "state", "reason", "failures", "error_code", "error_detail", "error_hint", "next_attempt_at"})
LAST_GENERATION = 2**62
"""Only somebody else can have written it; it is no reason to refuse a request."""
NO_ERROR = {"failures": 0, "error_code": None, "error_detail": None, "error_hint": None, "next_attempt_at": None}


_COLUMNS = [column for column in columns(Tenant) if column != "holds"]
_HOLDS = "json_group_array(json_array(kind, reason, held_since, held_by) ORDER BY held_since)"
_SELECT = "SELECT " + ", ".join(_COLUMNS) + ", (SELECT " + _HOLDS + " FROM holds WHERE tenant_id = tenants.id) FROM tenants "


def insert(tx: Tx, tenant: Tenant) -> None:
    statement = "INSERT INTO tenants (" + ", ".join(_COLUMNS) + ") VALUES (" + ", ".join("?" for _ in _COLUMNS) + ")"
    tx.execute(statement, [getattr(tenant, column) for column in _COLUMNS])


def _many(tx: Tx, where: str, *values: object) -> list[Tenant]:
    """Tenants with their holds."""
    return [_tenant(list(row)) for row in tx.execute(_SELECT + where, values)]


def _tenant(row: list[Any]) -> Tenant:
    row[-1] = _holds(row[-1])
    return Tenant(*row)


def _holds(text: str) -> tuple[Hold, ...]:
    """An unknown kind of hold, written by a newer version, is treated as a suspension."""
    if text == "[]":
        return ()
    known = set(HoldKind)
    return tuple(Hold(HoldKind(kind) if kind in known else HoldKind.SUSPENDED, *rest) for kind, *rest in json.loads(text))


def get(tx: Tx, tenant_id: TenantId) -> Tenant | None:
    """Find a tenant by id, including a deleted one, which its operations still name."""
    return next(iter(_many(tx, "WHERE id = ?", tenant_id)), None)


def generation(tx: Tx, tenant_id: TenantId) -> int | None:
    return scalar(tx, "SELECT generation FROM tenants WHERE id = ?", tenant_id)  # type: ignore[no-any-return]


def find(tx: Tx, id_or_slug: str) -> Tenant | None:
    """Find a tenant that is not deleted. Ids contain an underscore and slugs do not, so they cannot be confused."""
    return next(iter(_many(tx, "WHERE deleted_at IS NULL AND (id = ?1 OR slug = ?1)", id_or_slug)), None)


def were_never_any(tx: Tx) -> bool:
    """Whether there was never a tenant, not even one that is deleted now."""
    return scalar(tx, "SELECT 1 FROM tenants LIMIT 1") is None


def everything(tx: Tx) -> list[Tenant]:
    return _many(tx, "WHERE deleted_at IS NULL ORDER BY slug")


@dataclass(frozen=True)
class TenantFilter:
    """Select tenants. Empty values match all. `image` is an id, a reference or the engine's id; `hold` is a kind, `any` or `none`."""

    q: str = ""
    states: tuple[str, ...] = ()
    plan: str = ""
    image: str = ""
    hold: str = ""


_RUNNING_IMAGE = (
    "CASE WHEN last_good_revision IS NOT NULL AND rejected_image_id IS image_id AND rejected_revision IS wanted_revision"
    " THEN last_good_image_id ELSE image_id END"
)
_MATCHING = (
    "WHERE deleted_at IS NULL AND (?1 OR id = ?2 OR id IN (SELECT tenant_id FROM members WHERE user_id = ?3))"
    " AND (?4 = '' OR id = ?4 OR instr(lower(slug), lower(?4)) OR instr(lower(name), lower(?4)))"
    " AND (?5 = '[]' OR state IN (SELECT value FROM json_each(?5))) AND (?6 = '' OR plan = ?6)"
    " AND (?7 = '' OR " + _RUNNING_IMAGE + " IN (SELECT id FROM images WHERE id = ?7 OR reference = ?7 OR image_id = ?7))"
    " AND (?8 = '' OR (?8 = 'none') = NOT EXISTS (SELECT 1 FROM holds WHERE tenant_id = tenants.id AND (?8 IN ('any', 'none') OR kind = ?8)))"
)
SORTS = ("slug", "name", "state", "plan", "created_at", "updated_at")


def page(tx: Tx, visibility: Visibility, wanted: TenantFilter, order: tuple[str, bool, tuple[Any, str] | None], limit: int) -> list[Tenant]:
    """Return one page. `order` is one of SORTS, whether to descend, and value and id of the last tenant of the previous page."""
    field, is_descending, after = order
    if field not in SORTS:
        raise ValueError(f"not a column to sort by: {field}")
    direction = " DESC" if is_descending else ""
    comparison = "<" if is_descending else ">"
    where = _MATCHING + (" AND (" + field + ", id) " + comparison + " (?9, ?10)" if after else "")
    ordered = where + " ORDER BY " + field + direction + ", id" + direction + (" LIMIT ?11" if after else " LIMIT ?9")
    return _many(tx, ordered, *_values(visibility, wanted), *(after or ()), limit)


def count(tx: Tx, visibility: Visibility, wanted: TenantFilter) -> int:
    return int(scalar(tx, "SELECT count(*) FROM tenants " + _MATCHING, *_values(visibility, wanted)))


def _values(visibility: Visibility, wanted: TenantFilter) -> tuple[object, ...]:
    seen = (visibility.everything, visibility.tenant_id, visibility.user_id)
    return (*seen, wanted.q, json.dumps(wanted.states), wanted.plan, wanted.image, wanted.hold)


def slug_released_at(tx: Tx, slug: str, deleted_after: str) -> str | None:
    """Return when a tenant of this slug was last deleted, if that was after the given time."""
    return scalar(tx, "SELECT max(deleted_at) FROM tenants WHERE slug = ? AND deleted_at > ?", slug, deleted_after)  # type: ignore[no-any-return]


def want(tx: Tx, tenant: Tenant, at: str, **changes: object) -> Tenant:
    """Record a new desired state: a new generation without failed attempts."""
    generation = tenant.generation % LAST_GENERATION + 1
    _update(tx, tenant.id, WANTED, {**changes, **NO_ERROR, "generation": generation, "updated_at": at})
    return settle(tx, tenant.id, at)


def end_waits(tx: Tx, plan: str, at: str) -> None:
    """Retry tenants of a changed plan at once, instead of after their backoff."""
    for tenant in everything(tx):
        if tenant.plan == plan and tenant.next_attempt_at is not None:
            _update(tx, tenant.id, frozenset(), {"next_attempt_at": None, "failures": 0})
            settle(tx, tenant.id, at)


def rename(tx: Tx, tenant: Tenant, at: str, name: str) -> Tenant:
    _update(tx, tenant.id, WANTED, {"name": name, "updated_at": at})
    return settle(tx, tenant.id, at)


def record_seen(tx: Tx, tenant_id: TenantId, expected: int, at: str, changes: Mapping[str, object]) -> bool:
    """Record observed state. False, without writing, if the generation has moved on."""
    if generation(tx, tenant_id) != expected:
        return False
    _update(tx, tenant_id, SEEN, changes)
    settle(tx, tenant_id, at)
    return True


def settle(tx: Tx, tenant_id: TenantId, at: str) -> Tenant:
    """Derive the shown state again. If it changed, record an event and an audit entry in the same transaction."""
    tenant = require(get(tx, tenant_id))
    shown, reason = state(tenant)
    if (shown, reason) == (tenant.state, tenant.reason):
        return tenant
    _update(tx, tenant_id, frozenset(), {"state": str(shown), "reason": reason})
    events.append(
        tx,
        at,
        "tenant.state",
        tenant_id=tenant_id,
        slug=tenant.slug,
        state=str(shown),
        reason=reason,
        next_attempt_at=tenant.next_attempt_at,
    )
    if shown != tenant.state:
        changes = {"state": [tenant.state, str(shown)]}
        audit.append(tx, Entry(at, "system:state", "tenant.state", tenant_id, tenant_id, changes=changes))
    return require(get(tx, tenant_id))


def _update(tx: Tx, tenant_id: TenantId, allowed: frozenset[str], changes: Mapping[str, object]) -> None:
    """Update columns. Their names come from the lists above, never from input."""
    if not changes.keys() <= allowed | _OWN:
        raise ValueError(f"not columns of this side: {sorted(changes.keys() - allowed)}")
    assignments = ", ".join(f"{column} = ?" for column in changes)
    tx.execute(f"UPDATE tenants SET {assignments} WHERE id = ?", (*changes.values(), tenant_id))


def count_by_state(tx: Tx) -> dict[str, int]:
    return dict(tx.execute("SELECT state, count(*) FROM tenants WHERE deleted_at IS NULL GROUP BY state"))
