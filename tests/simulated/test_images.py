"""Images on a simulated place: checked against tenants before they are used, removed, and failing without holding anything else."""

from typing import Any

import pytest

from tests.simulated import invariants
from tests.simulated.rig import Rig
from zcplatform.engines.simulated.faults import Fault
from zcplatform.ops import images as requests
from zcplatform.store import images, operations


def _request(rig: Rig, act: Any) -> str:
    return str(rig.request(act).value.operation.id)


def _operation(rig: Rig, operation_id: str) -> Any:
    return rig.database.read(lambda tx: operations.get(tx, operation_id))


@pytest.mark.parametrize("fault", [None, *Fault])
def test_a_preflight_names_the_tenant_that_the_image_rejects(rig: Rig, fault: Fault | None) -> None:
    for slug in ("aaa", "bbb"):
        rig.create(slug)
        rig.deploy(slug)
    rig.settle()
    rig.world.rejected.add("bbb")
    asked = _request(rig, lambda call: requests.preflight(call, rig.image))
    if fault is not None:
        rig.place.faults.arm(fault, "run_once")
    rig.run(200)
    found = _operation(rig, asked)
    assert found.status == "succeeded", found
    if fault is not Fault.LIE:
        assert '"refused": 1' in found.result
    assert {row.state for row in rig.rows()} == {"running"}, "running agents are not touched"
    invariants.at_rest(rig)


@pytest.mark.parametrize("fault", [None, Fault.SILENT, Fault.LOST, Fault.DIE_BEFORE, Fault.DIE_AFTER, Fault.SLOW])
def test_an_image_is_removed(rig: Rig, fault: Fault | None) -> None:
    asked = _request(rig, lambda call: requests.remove(call, rig.image))
    if fault is not None:
        rig.place.faults.arm(fault, "remove_image")
    rig.run(200)
    assert _operation(rig, asked).status == "succeeded"
    found = rig.database.read(lambda tx: images.get(tx, rig.image))
    assert found is not None
    assert found.status == "removed"
    assert rig.world.images == {}
