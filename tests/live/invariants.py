"""I1 to I5, I8 and I9 of an installation at rest: what must hold after every fault, looked at from outside."""

import asyncio
import json
import pwd
from pathlib import Path

import httpx2

from tests.live.platform import Platform
from zcplatform.adapters import firewall, host
from zcplatform.core.firewall import rules
from zcplatform.ids import LABEL_INSTANCE, LABEL_SPEC, LABEL_TENANT
from zcplatform.store import allocations, audit, tenants
from zcplatform.store.db import Tx, scalar
from zcplatform.worker.reconcile.snapshot import load


def check(platform: Platform) -> None:
    """Raises AssertionError naming the invariant."""
    containers = _containers(platform)
    with platform.database() as database:
        rows = database.read(tenants.everything)
        for row in rows:
            mine = [found for found in containers if found["Config"]["Labels"].get(LABEL_TENANT) == row.id]
            running = [found for found in mine if found["State"]["Running"]]
            if row.state == "running":
                snapshot = database.read(lambda tx, row=row: load(tx, platform.settings, row.id))  # type: ignore[misc]
                assert snapshot is not None
                expected = snapshot.workload.spec_hash
                assert [found["Config"]["Labels"][LABEL_SPEC] for found in running] == [expected], f"I1: {row.slug}"
                assert len(mine) == 1, f"I1: {row.slug} has several containers"
            if row.state == "stopped":
                assert running == [], f"I1: {row.slug} is stopped and runs"
        known = {row.id for row in rows}
        _nothing_without_a_row(platform, containers, known)
        _routes(
            platform,
            {row.slug: database.read(lambda tx, row=row: allocations.get(tx, row.id)) for row in rows if row.state == "running"},
            containers,
        )  # type: ignore[misc]
        assert database.read(lambda tx: scalar(tx, "PRAGMA integrity_check")) == "ok", "I5: the database"
        assert isinstance(database.read(audit.verify), int), "I5: the audit chain"
        database.read(_every_state_change_has_its_entry)
        mounted = _config_mounts(platform)
        assert mounted <= {row.slug for row in rows if row.wanted == "running"}, f"I9: {mounted}"
    _firewall(platform)


def _containers(platform: Platform) -> list[dict[str, object]]:
    ids = platform.docker("ps", "-aq", "--no-trunc", "--filter", f"label={LABEL_INSTANCE}={platform.settings.instance}").split()
    return json.loads(platform.docker("inspect", *ids)) if ids else []  # type: ignore[no-any-return]


def _nothing_without_a_row(platform: Platform, containers: list[dict[str, object]], known: set[str]) -> None:
    for found in containers:
        assert found["Config"]["Labels"][LABEL_TENANT] in known, "I2: a container without a row"  # type: ignore[index]
    ids = platform.docker("network", "ls", "-q", "--filter", f"label={LABEL_INSTANCE}={platform.settings.instance}").split()
    for found in json.loads(platform.docker("network", "inspect", *ids)) if ids else []:
        assert found["Labels"][LABEL_TENANT] in known, "I2: a network without a row"
    bridges = host.bridges(platform.names.bridge_prefix)
    with platform.database() as database:
        held = database.read(lambda tx: allocations.held(tx, "subnet"))
    assert bridges <= {platform.names.bridge(subnet) for subnet in held}, f"I2: bridges without a row: {bridges}"
    workspaces = {path.name for path in platform.settings.tenants_dir.iterdir() if path.name != ".owners"}
    with platform.database() as database:
        stray = workspaces - {row.slug for row in database.read(tenants.everything)}
        assert not stray, f"I2: workspaces without a row: {stray}"


def _routes(platform: Platform, running: dict[str, object], containers: list[dict[str, object]]) -> None:
    """I3: what Caddy holds is what the worker last set, each name once. I4: a route leads to a port that the tenant's running container has."""
    if platform.edge is None:
        return
    with httpx2.Client(
        transport=httpx2.HTTPTransport(uds=str(platform.settings.caddy_socket), verify=False), base_url="http://caddy"
    ) as client:
        document = client.get("/config/").json()
    assert document == json.loads(platform.settings.edge_document.read_text()), "I3: Caddy holds another document"
    routed = _ports(document)
    published = {}
    for found in containers:
        if found["State"]["Running"]:  # type: ignore[index]
            bindings = found["NetworkSettings"]["Ports"]["42617/tcp"]  # type: ignore[index]
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]
            published[found["Config"]["Labels"][LABEL_TENANT]] = int(bindings[0]["HostPort"])  # type: ignore[index]
    for tenant_id, port in routed.items():
        assert published.get(tenant_id) == port, f"I4: {tenant_id} is routed to {port}"
    with platform.database() as database:
        rows = database.read(tenants.everything)
    assert routed == {row.id: int(row.seen_upstream.rpartition(":")[2]) for row in rows if row.seen_upstream is not None}, (
        "I3: not the routes of the rows"
    )
    assert {row.id for row in rows if row.slug in running} <= routed.keys(), "I3: a running tenant has no route"


def _ports(document: dict[str, object]) -> dict[str, int]:
    """Tenant id → port, read from the document as it stands."""
    found: dict[str, int] = {}

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "zcp_port" in node:
                assert node["zcp_tenant"] not in found, "I3: a tenant is routed twice"
                found[node["zcp_tenant"]] = int(node["zcp_port"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(document)
    return found


def _every_state_change_has_its_entry(tx: Tx) -> None:
    """Each tenant's last state in the audit log is the one its row shows."""
    for row in tenants.everything(tx):
        last = scalar(
            tx, "SELECT changes FROM audit_log WHERE tenant_id = ? AND action = 'tenant.state' ORDER BY sequence DESC LIMIT 1", row.id
        )
        told = json.loads(last)["state"][1] if last else "draft"
        assert told == row.state, f"I5: {row.slug} is {row.state}, its last entry says {told}"


def _firewall(platform: Platform) -> None:
    settings = platform.settings
    edge_uid = pwd.getpwnam(settings.edge_user).pw_uid
    wanted = rules(platform.names.bridge_prefix, settings.resolvers, settings.allowed_hosts, settings.subnet_network, (edge_uid,))
    assert asyncio.run(firewall.standing(wanted)), "I8: the firewall differs"


def _config_mounts(platform: Platform) -> set[str]:
    folder = f"{platform.settings.config_dir}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return {line.split()[4].removeprefix(folder).split("/")[0] for line in lines if line.split()[4].startswith(folder)}
