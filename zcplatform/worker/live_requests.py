"""Check a live request of the web process: the tenant it names, its text arguments, and how many may run at once."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zcplatform.agent.fields import is_text
from zcplatform.errors import BadInput, Conflict, NotFound, Unavailable
from zcplatform.ids import TenantId, is_id
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import TenantSnapshot, load


def load_tenant(deps: Deps, request: dict[str, Any], *, with_drafts: bool = False) -> TenantSnapshot:
    """Return the snapshot of the named tenant. Raises BadInput, NotFound, or Conflict for a tenant that was never deployed."""
    tenant_id = request.get("tenant_id")
    if not isinstance(tenant_id, str) or not is_id(tenant_id):
        raise BadInput("live.tenant", "`tenant_id` is not the id of a tenant")
    snapshot = deps.database.read(lambda tx: load(tx, deps.settings, TenantId(tenant_id)))
    if snapshot is None:
        raise NotFound("tenant.unknown", "There is no such tenant")
    if snapshot.tenant.effective_wanted == "draft" and not with_drafts:
        raise Conflict("tenant.draft", f"Tenant `{snapshot.tenant.slug}` was never deployed", "deploy it first")
    return snapshot


def require_text(request: dict[str, Any], name: str, longest: int) -> str:
    """Return a text argument. Raises BadInput."""
    value = request.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= longest or not is_text(value):
        raise BadInput("live.request", f"`{name}` must be text of 1 to {longest} characters")
    return value


class ConcurrencyLimit:
    """Limits slow requests per tenant and in total. The total is a multiple of the limit per tenant, so one tenant never blocks others."""

    def __init__(self, each: int, altogether: int) -> None:
        self._each = each
        self._altogether = altogether
        self._taken: Counter[TenantId] = Counter()

    @contextmanager
    def taken(self, tenant_id: TenantId) -> Iterator[None]:
        """Occupy one of the tenant's slots. Raises Unavailable if none is free."""
        if self._taken[tenant_id] >= self._each or self._taken.total() >= self._altogether:
            raise Unavailable("live.busy", "Too many of these requests are running", "try again in a moment", retry_after_s=5)
        self._taken[tenant_id] += 1
        try:
            yield
        finally:
            self._taken[tenant_id] -= 1
            self._taken += Counter()  # forgets tenants without a running request
