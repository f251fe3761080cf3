"""Each step taken twice gives what it gives once: a retry after a crash between doing and recording is harmless."""

import asyncio

import pytest

from tests.live import invariants
from tests.live.platform import Platform
from tests.live.waiting import wait_until
from zcplatform import clock
from zcplatform.agent import runtime
from zcplatform.core.differences import merged
from zcplatform.core.plan import FIRST_DEPLOY, Step
from zcplatform.engines.docker.local import LocalEngine
from zcplatform.ids import TenantId
from zcplatform.ops import requests
from zcplatform.ops import tenants as asking
from zcplatform.ops.actor import Actor, ActorKind, Bearer
from zcplatform.ops.context import Call, Context
from zcplatform.store import tenants
from zcplatform.store.db import Database
from zcplatform.vault import keys
from zcplatform.worker.app import make_deps, make_firewall
from zcplatform.worker.deps import Deps
from zcplatform.worker.reconcile.snapshot import load
from zcplatform.worker.reconcile.steps import STEPS

pytestmark = pytest.mark.live
ACTOR = Actor(id="tok_tests", kind=ActorKind.TOKEN, name="tests", bearer=Bearer(), is_super_admin=True)
STOP = (Step.UNROUTE, Step.STOP, Step.DROP_CONFIGURATION)
UPDATE = (Step.IMAGE, Step.CHECK, Step.UNROUTE, Step.STOP, Step.REMOVE, *FIRST_DEPLOY[FIRST_DEPLOY.index(Step.CONFIGURATION) :])
DELETE = (*STOP[:2], Step.REMOVE, Step.DROP_CONFIGURATION, Step.REMOVE_NETWORK, Step.REMOVE_WORKSPACE, Step.VERIFY_GONE)


async def _twice(deps: Deps, tenant_id: TenantId, *steps: Step) -> None:
    for step in steps:
        for _ in range(2):
            snapshot = deps.database.read(lambda tx: load(tx, deps.settings, tenant_id))
            assert snapshot is not None
            await STEPS[step](deps, snapshot)


def _change(call: Call, slug: str) -> None:
    tenant = requests.require_not_deleting(call.tx, slug)
    wanted = merged(requests.settings_of(call.tx, tenant), {"providers": {"main": {"model": "echo-2"}}})
    requests.apply_to_running(call, tenant, wanted_revision=requests.revise(call, tenant, wanted, "twice"))


async def test_every_step_may_be_taken_twice(platform: Platform) -> None:
    tenant_id = TenantId(platform.create("twice"))
    platform.stop_serve()
    database = Database(platform.settings.database)
    root = keys.Keys.of(keys.load(platform.settings.key_file))
    engine = LocalEngine(platform.settings, make_firewall(platform.settings), runtime.PROGRAM)
    deps = make_deps(platform.settings, root, database, engine)
    context = Context(database, platform.settings, root.seal_public, root.code_mac, lambda _: None)
    try:
        for ask, steps in (
            (asking.deploy, FIRST_DEPLOY),
            (_change, UPDATE),
            (asking.stop, STOP),
            (asking.start, FIRST_DEPLOY),
            (asking.delete, DELETE),
        ):
            await database.write(lambda tx, ask=ask: ask(Call(tx, context, ACTOR, clock.text(clock.now())), "twice"))  # type: ignore[misc]
            await _twice(deps, tenant_id, *steps)
        row = database.read(lambda tx: tenants.get(tx, tenant_id))
        assert row is not None
        assert (row.checked_revision, row.last_good_revision) == (2, 2)
    finally:
        await engine.close()
        await deps.gateway.close()
        database.close()
        platform.start_serve()
    wait_until(lambda: platform.api("GET", "/api/tenants/twice").status == 404, 30, "the loop takes up what was begun by hand")
    await asyncio.to_thread(invariants.check, platform)
