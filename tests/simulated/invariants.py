"""I1 to I5, I8 and I9 on a simulated place: what must hold once the faults are over, and the part of it that must hold at any moment."""

import json
from typing import Any

from tests.simulated.rig import Rig
from zcplatform.core.workload import TenantRef
from zcplatform.engines.seen import Address
from zcplatform.store import audit, tenants
from zcplatform.store.db import Tx, scalar
from zcplatform.worker.reconcile.snapshot import load


def always(rig: Rig) -> None:
    """Safety, also in the middle of a fault. Raises AssertionError naming the invariant."""
    for tenant_id, port in rig.edge.routes().items():
        serving = rig.world.serving(Address("127.0.0.1", port))
        assert serving is None or serving[0].id == tenant_id, f"I4: {tenant_id} is routed to the agent of {serving[0].slug}"
    ports = [
        remains.container.workload.port
        for remains in rig.world.tenants.values()
        if remains.container is not None and remains.container.is_alive
    ]
    assert len(ports) == len(set(ports)), "two agents on one port"
    subnets = [remains.subnet for remains in rig.world.tenants.values() if remains.subnet is not None]
    assert len(subnets) == len(set(subnets)), "two tenants in one network"


def at_rest(rig: Rig) -> None:
    always(rig)
    rows = rig.rows()
    refs = {TenantRef(row.id, row.slug) for row in rows}
    for row in rows:
        container = rig.remains(row.slug).container
        if row.state == "running":
            snapshot = rig.database.read(lambda tx, row=row: load(tx, rig.settings, row.id))  # type: ignore[misc]
            assert snapshot is not None
            assert container is not None, f"I1: {row.slug} runs and has no container"
            assert container.is_alive, f"I1: {row.slug} runs and its container does not"
            assert container.workload.spec_hash == snapshot.workload.spec_hash, f"I1: {row.slug} runs another specification"
        if row.state in ("stopped", "suspended"):
            assert container is None or not container.is_alive, f"I1: {row.slug} is {row.state} and runs"
    for ref, remains in rig.world.tenants.items():
        assert ref in refs or remains.is_nothing, f"I2: {ref.slug} has no row and something of it exists"
    _routes(rig, rows)
    rig.database.read(_every_state_change_has_its_entry)
    assert rig.world.firewall_stands or not rows, "I8: the firewall does not stand"
    mounted = {ref.slug for ref, remains in rig.world.tenants.items() if remains.configuration is not None}
    assert mounted <= {row.slug for row in rows if row.wanted == "running"}, f"I9: {mounted}"


def at_the_end(rig: Rig) -> None:
    """The slow ones."""
    assert rig.database.read(lambda tx: scalar(tx, "PRAGMA integrity_check")) == "ok", "I5: the database"
    assert isinstance(rig.database.read(audit.verify), int), "I5: the audit chain"


def _routes(rig: Rig, rows: list[Any]) -> None:
    assert rig.edge.document == rig.saved, "I3: the edge serves another document than the one that was saved"
    routed = rig.edge.routes()
    assert routed == {row.id: int(row.seen_upstream.rpartition(":")[2]) for row in rows if row.seen_upstream is not None}, (
        "I3: other routes"
    )
    assert {row.id for row in rows if row.state == "running"} <= routed.keys(), "I3: a running tenant has no route"
    for tenant_id, port in routed.items():
        serving = rig.world.serving(Address("127.0.0.1", port))
        assert serving is not None, f"I4: {tenant_id} is routed to nothing"
        assert serving[0].id == tenant_id, f"I4: {tenant_id} is routed to the agent of {serving[0].slug}"


def _every_state_change_has_its_entry(tx: Tx) -> None:
    for row in tenants.everything(tx):
        last = scalar(
            tx, "SELECT changes FROM audit_log WHERE tenant_id = ? AND action = 'tenant.state' ORDER BY sequence DESC LIMIT 1", row.id
        )
        shown = json.loads(last)["state"][1] if last else "draft"
        assert shown == row.state, f"I5: {row.slug} is {row.state}, its last entry says {shown}"
