"""Where each tenant's agent answers, as the place reported it: what routes and calls with the platform's token may lead to.

A row may be written by a web process that was taken over, so a row alone never decides where a visitor, or a token, is sent. In memory: a worker
that starts knows what the edge's saved document says (only root can write it) until its first look.
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
    """`listener` is the host of what listens in the tenant's network beside the agent's gateway."""

    upstream: Upstream
    listener: str | None


class Upstreams:
    def __init__(self, first: Mapping[TenantId, Reached] | None = None) -> None:
        self._known: dict[TenantId, Reached] = dict(first or {})
        self.version = 0
        """Another one after every change."""
        self.on_change: Callable[[], None] = lambda: None

    def get(self, tenant_id: TenantId) -> Reached | None:
        return self._known.get(tenant_id)

    def saw_all(self, place: Place, look: Look) -> None:
        found = {ref.id: _reached(place, seen) for ref, seen in look.tenants.items()}
        self._set({tenant_id: reached for tenant_id, reached in found.items() if reached is not None})

    def saw(self, place: Place, tenant: TenantRef, seen: TenantSeen) -> None:
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
    """What the edge's saved document leads to. Its routes set `zcp_tenant` beside `zcp_port`, or beside `zcp_dial` for a listener."""
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
