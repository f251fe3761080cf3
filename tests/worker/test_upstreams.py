"""B1: where visitors and the platform's token go is what the place reported, never what a row says."""

from tests.worker.agent_calls_rig import BEARER, Make, Rig
from zcplatform.core.edge import Json
from zcplatform.core.workload import TenantRef
from zcplatform.engines.seen import Address, Look, TenantSeen, WorkloadSeen
from zcplatform.ids import TenantId
from zcplatform.store.db import Database
from zcplatform.worker.platform_bearer import with_bearer
from zcplatform.worker.routes import Routes
from zcplatform.worker.upstreams import Reached, Upstreams, of_document


class ReportingPlace:
    """Dials what it was shown."""

    def dial(self, seen: WorkloadSeen) -> str | None:
        return str(seen.address) if seen.address else None

    def listener(self, seen: WorkloadSeen) -> str | None:
        return seen.direct.host if seen.direct else None


def _seen(port: int) -> TenantSeen:
    address, direct = Address("127.0.0.1", port), Address("10.83.0.2", 42617)
    return TenantSeen(WorkloadSeen("c", True, True, "sha256:0", {}, address=address, direct=direct))


def _leads(document: Json) -> dict[str, str]:
    return {tenant: reached.upstream for tenant, reached in of_document(document).items()}


def _routes(rig: Rig, upstreams: Upstreams) -> Routes:
    return Routes(rig.deps.settings, rig.deps.database, upstreams)


async def test_a_row_leads_nowhere_that_the_place_does_not_confirm(database: Database, make: Make) -> None:
    rig, upstreams = make(20_001), Upstreams()
    routes, ref = _routes(rig, upstreams), TenantRef(rig.tenant.id, rig.tenant.slug)
    rows = (("127.0.0.1:20007", "nothing was seen yet"), ("127.0.0.1:20001", "what the row says was seen"))
    for written, _ in rows:
        database.write_now(lambda tx, written=written: tx.execute("UPDATE tenants SET seen_upstream = ?", (written,)))  # type: ignore[misc]
        assert _leads(routes.document()) == {}
    upstreams.saw(ReportingPlace(), ref, _seen(20_001))  # type: ignore[arg-type]
    assert _leads(routes.document()) == {rig.tenant.id: "127.0.0.1:20001"}
    database.write_now(lambda tx: tx.execute("UPDATE tenants SET seen_upstream = '127.0.0.1:20007'"))
    assert _leads(routes.document()) == {}, "the port of another tenant's container"
    database.write_now(lambda tx: tx.execute("UPDATE allocations SET number = 20007 WHERE kind = 'port'"))
    assert _leads(routes.document()) == {}, "its own port in every row is no proof either"


async def test_the_platform_s_token_goes_where_the_place_says(database: Database, make: Make) -> None:
    rig = make(20_001)
    database.write_now(lambda tx: tx.execute("UPDATE allocations SET number = 20007 WHERE kind = 'port'"))
    database.write_now(lambda tx: tx.execute("UPDATE tenants SET seen_upstream = '127.0.0.1:20007'"))

    async def call(address: Address, bearer: str) -> tuple[Address, str]:
        return address, bearer

    assert await with_bearer(rig.deps, rig.snapshot, rig.woken.append, call) == (Address("127.0.0.1", 20_001), BEARER)


async def test_a_container_that_ended_leads_nowhere(database: Database, make: Make) -> None:
    rig, woken = make(20_001), []
    upstreams = Upstreams({rig.tenant.id: Reached("127.0.0.1:20001", None)})
    upstreams.on_change = lambda: woken.append(True)
    database.write_now(lambda tx: tx.execute("UPDATE tenants SET seen_upstream = '127.0.0.1:20001'"))
    routes, ref = _routes(rig, upstreams), TenantRef(rig.tenant.id, rig.tenant.slug)
    assert _leads(routes.document()) == {rig.tenant.id: "127.0.0.1:20001"}
    upstreams.saw(ReportingPlace(), ref, TenantSeen())  # type: ignore[arg-type]
    assert (_leads(routes.document()), woken) == ({}, [True])


def test_a_look_at_everything_that_began_before_a_close_look_does_not_undo_it() -> None:
    """At many tenants such a look takes long: an agent that was started meanwhile must not lose its route until the next one."""
    upstreams, place, woken = Upstreams(), ReportingPlace(), []
    upstreams.on_change = lambda: woken.append(True)
    started, stopped, other = (TenantRef(TenantId(f"ten_{name}"), name) for name in ("started", "stopped", "other"))
    before = Look({stopped: _seen(20_002), other: _seen(20_003)}, {}, firewall_stands=True)
    first, second = upstreams.moment, upstreams.moment
    upstreams.saw(place, started, _seen(20_001))  # type: ignore[arg-type]
    upstreams.saw(place, stopped, TenantSeen())  # type: ignore[arg-type]
    for began in (first, second):
        upstreams.saw_all(place, before, began)  # type: ignore[arg-type]
        found = {ref.slug: upstreams.get(ref.id) for ref in (started, stopped, other)}
        assert {slug: reached and reached.upstream for slug, reached in found.items()} == {
            "started": "127.0.0.1:20001",
            "stopped": None,
            "other": "127.0.0.1:20003",
        }
    upstreams.saw_all(place, Look({other: _seen(20_003)}, {}, firewall_stands=True), upstreams.moment)  # type: ignore[arg-type]
    assert upstreams.get(started.id) is None, "a look that began after the close one counts"


def test_a_worker_that_starts_knows_what_the_edge_s_saved_document_says() -> None:
    tenant = {"handler": "vars", "zcp_tenant": "ten_a", "zcp_state": "running", "zcp_port": "20001"}
    listener = {"handler": "vars", "zcp_tenant": "ten_a", "zcp_state": "listening", "zcp_dial": "10.83.0.2:8090"}
    document = {"apps": {"http": {"servers": {"public": {"routes": [{"handle": [tenant]}, {"handle": [listener]}]}}}}}
    assert of_document(document) == {TenantId("ten_a"): Reached("127.0.0.1:20001", "10.83.0.2")}
    for nonsense in (None, [], {"zcp_tenant": 1, "zcp_port": []}, "x"):
        assert of_document(nonsense) == {}
