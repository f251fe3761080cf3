"""Remember where each tenant's agent answers, as the place reported it. Routes, and calls with the platform's token, lead only there.

A web process that was taken over can write any row, so a row alone never decides where a visitor or a token is sent. In memory: a worker
that starts relies on the edge's saved document (only root can write it) until its first observation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zcplatform.core.workload import TenantRef
from zcplatform.engines.protocol import Place
from zcplatform.engines.seen import Look, TenantSeen, Upstream
from zcplatform.ids import TenantId


@dataclass(frozen=True)
class Reached:
    """Addresses of a tenant. `listener` is the host of channels that listen in the tenant's network beside the agent's gateway."""

    upstream: Upstream
    listener: str | None


class Upstreams:
    def __init__(self, first: Mapping[TenantId, Reached] | None = None) -> None:
        self._known: dict[TenantId, Reached] = dict(first or {})
        self._closely: dict[TenantId, int] = {}
        """The moment of each tenant's last inspection."""
        self.moment = 0
        """Counts inspections, to know which of them happened before a listing of everything began."""
        self.version = 0
        """Changes after every change of an address."""
        self.on_change: Callable[[], None] = lambda: None

    def get(self, tenant_id: TenantId) -> Reached | None:
        return self._known.get(tenant_id)

    def saw_all(self, place: Place, look: Look, since: int) -> None:
        """`since` is the `moment` at which the look began: what was looked at closely after that is known better."""
        newer = {tenant_id: moment for tenant_id, moment in self._closely.items() if moment > since}
        found = {ref.id: _reached(place, seen) for ref, seen in look.tenants.items() if ref.id not in newer}
        found |= {tenant_id: self._known.get(tenant_id) for tenant_id in newer}
        self._set({tenant_id: reached for tenant_id, reached in found.items() if reached is not None})
        self._closely = {tenant_id: moment for tenant_id, moment in self._closely.items() if tenant_id in newer or tenant_id in self._known}

    def saw(self, place: Place, tenant: TenantRef, seen: TenantSeen) -> None:
        self.moment += 1
        self._closely[tenant.id] = self.moment
        reached = _reached(place, seen)
        others = {tenant_id: one for tenant_id, one in self._known.items() if tenant_id != tenant.id}
        self._set(others if reached is None else {**others, tenant.id: reached})

    def _set(self, known: dict[TenantId, Reached]) -> None:
        if known != self._known:
            self._known = known
            self.version += 1
            self.on_change()


def _reached(place: Place, seen: TenantSeen) -> Reached | None:
    upstream = place.dial(seen.workload) if seen.workload is not None else None
    return Reached(upstream, place.listener(seen.workload)) if seen.workload is not None and upstream is not None else None


def of_document(document: Any) -> dict[TenantId, Reached]:
    """Read the addresses from the edge's saved document. Its routes set `zcp_tenant` with `zcp_port`, or with `zcp_dial` for a listener."""
    ports: dict[str, str] = {}
    hosts: dict[str, str] = {}
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            tenant, port, dial = (node.get(name) for name in ("zcp_tenant", "zcp_port", "zcp_dial"))
            if isinstance(tenant, str) and isinstance(port, str):
                ports[tenant] = port
            if isinstance(tenant, str) and isinstance(dial, str):
                hosts[tenant] = dial.rpartition(":")[0]
            pending += node.values()
        elif isinstance(node, list):
            pending += node
    return {TenantId(tenant): Reached(f"127.0.0.1:{port}", hosts.get(tenant)) for tenant, port in ports.items()}
