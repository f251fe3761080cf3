"""What a live request is about: the tenant, loaded and checked again, and how many such requests may be under way."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zcplatform.errors import BadInput, Conflict, NotFound, Unavailable
from zcplatform.ids import TenantId, is_id
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, load


def load_tenant(deps: Deps, request: dict[str, Any], *, with_drafts: bool = False) -> TenantSnapshot:
    tenant_id = request.get("tenant_id")
    if not isinstance(tenant_id, str) or not is_id(tenant_id):
        raise BadInput("live.tenant", "tenant_id is not an id")
    snapshot = deps.database.read(lambda tx: load(tx, deps.settings, TenantId(tenant_id)))
    if snapshot is None:
        raise NotFound("tenant.unknown", "There is no such tenant")
    if snapshot.tenant.wanted == "draft" and not with_drafts:
        raise Conflict("tenant.draft", f"Tenant `{snapshot.tenant.slug}` was never deployed", "deploy it first")
    return snapshot


def require_text(request: dict[str, Any], name: str, longest: int) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise BadInput("live.request", f"{name} is not a text of 1 to {longest} characters")
    return value


class ConcurrencyLimit:
    """A bound on slow requests, for each tenant and altogether, so that nobody keeps the worker's socket from the others."""

    def __init__(self, each: int, altogether: int) -> None:
        self._each = each
        self._altogether = altogether
        self._taken: Counter[TenantId] = Counter()

    @contextmanager
    def taken(self, tenant_id: TenantId) -> Iterator[None]:
        """Raises Unavailable when there is no turn now."""
        if self._taken[tenant_id] >= self._each or self._taken.total() >= self._altogether:
            raise Unavailable("live.busy", "Too many of these requests are under way", "try again in a moment", retry_after_s=5)
        self._taken[tenant_id] += 1
        try:
            yield
        finally:
            self._taken[tenant_id] -= 1
            self._taken += Counter()  # without those that have none
