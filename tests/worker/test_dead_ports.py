"""A4: ports are everybody's, so a tenant cannot make the platform give up many."""

from datetime import timedelta

from tests.worker.agent_calls_rig import Make
from zcplatform import clock
from zcplatform.core.quarantine import BLOCKED_MINUTES, reusable_before
from zcplatform.store import allocations
from zcplatform.store.db import Database
from zcplatform.worker.reconcile import allocation


async def test_a_tenant_gives_up_few_ports_a_day_and_they_come_back_soon(database: Database, make: Make) -> None:
    rig = make(20_000)
    snapshot = rig.snapshot
    done = [await allocation.give_up_port(rig.deps, snapshot, 20_000 + number) for number in range(allocation.PORTS_A_DAY + 2)]
    assert done == [True] * allocation.PORTS_A_DAY + [False, False]

    def free(after: timedelta) -> int:
        span, at = (20_000, 20_000 + allocation.PORTS_A_DAY - 1), clock.text(clock.now() + after)
        return database.read(lambda tx: allocations.free(tx, "port", span, at, reusable_before("port", at)))

    assert free(timedelta()) == 0
    assert free(timedelta(minutes=BLOCKED_MINUTES["port"] + 1)) == allocation.PORTS_A_DAY
