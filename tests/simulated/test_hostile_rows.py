"""Whatever a taken-over web process wrote into a tenant's rows: it can be stopped, suspended and deleted, and its neighbour continues to run."""

from collections.abc import Callable

import apsw
import pytest

from tests.simulated.rig import Rig
from zcplatform.core.workload import TenantRef
from zcplatform.ops import suspension

DAMAGES = {
    "another machine": "UPDATE tenants SET node_id = 'nowhere' WHERE slug = 'shop'",
    "no machine": "UPDATE tenants SET node_id = '' WHERE slug = 'shop'; DELETE FROM machines",
    "settings that are no JSON": "UPDATE revisions SET settings = '{' WHERE tenant_id = :shop",
    "deep settings": f"UPDATE revisions SET settings = '{'[' * 900}{']' * 900}' WHERE tenant_id = :shop",
    "no revision": "DELETE FROM revisions WHERE tenant_id = :shop",
    "no plan": "UPDATE tenants SET plan = 'gone' WHERE slug = 'shop'",
    "a plan out of bounds": "INSERT INTO plans SELECT 'huge', 9, 1 << 60, 1 << 60, 1 << 60, 1, 0, 1, 1, 0, 0, 0, 'x', '{', -1;"
    " UPDATE tenants SET plan = 'huge' WHERE slug = 'shop'",
    "no image": "UPDATE tenants SET image_id = 'img_gone' WHERE slug = 'shop'",
    "an image of nonsense": "INSERT INTO images (id, source, reference, image_id, status, created_at, updated_at)"
    " VALUES ('img_x', 'demo', '', '../..', 'ready', '', ''); UPDATE tenants SET image_id = 'img_x' WHERE slug = 'shop'",
    "no numbers": "DELETE FROM allocations WHERE tenant_id = :shop",
    "numbers out of range": "UPDATE allocations SET number = -number - 1 WHERE tenant_id = :shop",
    "swapped numbers": "UPDATE allocations SET tenant_id = 'x' WHERE tenant_id = :shop;"
    " UPDATE allocations SET tenant_id = :shop WHERE tenant_id = :other; UPDATE allocations SET tenant_id = :other WHERE tenant_id = 'x'",
    "observations of nonsense": "UPDATE tenants SET seen_container = 'absent', seen_healthy = 0, seen_config = 'x', seen_upstream = 'x',"
    " seen_generation = 99, seen_probe_failures = 1 << 40, seen_healthy_at = 'x' WHERE slug = 'shop'",
    "a wait without end": "UPDATE tenants SET next_attempt_at = '2999-01-01T00:00:00.000Z', failures = 1 << 60, error_code = 'x' WHERE slug = 'shop'",
    "good revisions that never were": "UPDATE tenants SET last_good_revision = -1, rejected_revision = wanted_revision,"
    " rejected_image_id = image_id, last_good_image_id = 'x' WHERE slug = 'shop'",
    "the last generation": "UPDATE tenants SET generation = 9223372036854775807, seen_generation = 9223372036854775807 WHERE slug = 'shop'",
    "a hold of another kind": "INSERT INTO holds VALUES (:shop, 'garbage', '', 'x', char(0))",
}
REQUESTS: dict[str, tuple[Callable[[Rig], None], str]] = {
    "stop": (lambda rig: rig.stop("shop"), "stopped"),
    "suspend": (lambda rig: rig.request(lambda call: suspension.suspend(call, "shop", "unpaid")), "stopped"),
    "delete": (lambda rig: rig.delete("shop"), "absent"),
}


def _write(rig: Rig, sql: str) -> None:
    """As the web process's uid may: past every check of ours."""
    taken_over = apsw.Connection(str(rig.database.path))
    taken_over.execute("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
    names = {"shop": rig.row("shop").id, "other": rig.row("other").id}
    taken_over.execute(sql, {name: value for name, value in names.items() if f":{name}" in sql})
    taken_over.close()


def _runs(rig: Rig, slug: str) -> bool:
    container = rig.remains(slug).container
    return container is not None and container.is_alive


@pytest.mark.parametrize("comes", ["before", "after"])
@pytest.mark.parametrize("request_kind", REQUESTS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_no_row_keeps_a_tenant_from_being_stopped(rig: Rig, damage: str, request_kind: str, comes: str) -> None:
    """The damage comes before or after the request."""
    act, expected = REQUESTS[request_kind]
    for slug in ("shop", "other"):
        rig.create(slug)
        rig.deploy(slug)
    rig.settle()
    assert _runs(rig, "shop")
    shop, other = rig.row("shop"), rig.row("other")
    if comes == "before":
        _write(rig, DAMAGES[damage])
        rig.run(15)
    act(rig)
    if comes == "after":
        _write(rig, DAMAGES[damage])
    rig.run(60)
    left = rig.world.tenants.get(TenantRef(shop.id, "shop"))
    container = left.container if left is not None else None
    assert container is None or (expected == "stopped" and not container.is_alive)
    if damage != "swapped numbers":
        assert _runs(rig, "other")
        assert rig.row("other").state == "running"
        assert other.id in rig.edge.routes()
    assert shop.id not in rig.edge.routes()


@pytest.mark.parametrize("written", ["wanted = 'nonsense'", "slug = '../..'", "node_id = 'nowhere'", "plan = 'gone'"])
def test_a_row_of_nonsense_stops_nothing_of_a_neighbour(rig: Rig, written: str) -> None:
    for slug in ("shop", "other"):
        rig.create(slug)
        rig.deploy(slug)
    rig.settle()
    other = rig.row("other")
    _write(rig, f"UPDATE tenants SET {written} WHERE slug = 'shop'")
    rig.stop("other")
    rig.run(60)
    assert not _runs(rig, "other")
    assert other.id not in rig.edge.routes()
    rig.start("other")
    rig.run(90)
    assert rig.row("other").state == "running"
    assert other.id in rig.edge.routes()
